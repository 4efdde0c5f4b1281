"""How results are shown, in notebooks and on pages: intervals, tables and pictures as HTML, plots, and data frames."""

import lazy_loader

# results are records that everything imports: what draws them is imported when they are shown
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
