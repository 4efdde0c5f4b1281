"""What every page must be, measured in a real browser: nothing overflows, no table breaks a word, text stands out."""

from pathlib import Path

import chromium

# A word: letters and digits; longer runs (addresses, hashes) may be broken. Chinese, Japanese and Korean have no spaces: they break anywhere.
BROKEN = """(() => {
  const broken = [];
  for (const cell of document.querySelectorAll('th, td, caption, dt, dd, .forest span')) {
    const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node; node = walk.nextNode();)
      for (const found of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
        const word = found[0];
        if (word.length >= 20 || /[\\u1100-\\u11ff\\u2e80-\\u9fff\\uac00-\\ud7ff\\uff00-\\uffef]/.test(word)) continue;
        const range = document.createRange();
        range.setStart(node, found.index);
        range.setEnd(node, found.index + word.length);
        const tops = new Set([...range.getClientRects()].filter(r => r.width > 0).map(r => Math.round(r.top)));
        if (tops.size > 1) broken.push(word + ' in ' + cell.textContent.trim().slice(0, 40));
      }
  }
  return broken })()"""
OVERFLOWING = """(() => {
  const wide = document.documentElement.clientWidth, over = [];
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('.skip, thead') && e.getBoundingClientRect().left < 0) continue;
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (!box.width) continue;
    if (box.right > wide + 1) over.push(e.tagName + '.' + e.className + ' reaches ' + Math.round(box.right));
    if (['auto', 'scroll', 'hidden'].includes(style.overflowX) && e.scrollWidth > e.clientWidth + 1)
      over.push(e.tagName + '.' + e.className + ' hides ' + (e.scrollWidth - e.clientWidth));
  }
  return over })()"""
CONTRAST = """(() => {
  const rgb = s => (s.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const f = c.slice(0, 3).map(linear);
    return .2126 * f[0] + .7152 * f[1] + .0722 * f[2] };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement;
    if (!n.data.trim() || !e.getClientRects().length || e.closest('svg, style')) continue;
    let under = e, ground = null;
    for (; under && !ground; under = under.parentElement) {
      const c = rgb(getComputedStyle(under).backgroundColor);
      if (c.length === 3 || c[3] > .99) ground = c;
    }
    const a = light(rgb(getComputedStyle(e).color)), b = light(ground || [255, 255, 255]);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push(e.className + ': ' + n.data.trim().slice(0, 30) + ' ' + ratio.toFixed(2));
  }
  return bad })()"""


def looked_at(page: str, path: Path, *, images: int = 0, dark: bool = True) -> None:
    """Open a page at the widths of a desk, a tablet and a phone, in light and dark, and assert what every page must be.

    `images`: how many pictures it has at least. `dark`: whether it has colours of its own for the dark.
    """
    path.write_text(page, encoding="utf-8")
    with chromium.Page() as browser:
        for width, in_the_dark in ((1280, False), (1280, True), (800, False), (400, False), (400, True)):
            if in_the_dark and not dark:
                continue
            where = f"{path.stem} at {width}{' dark' if in_the_dark else ''}"
            browser.open(path, width=width, height=900, dark=in_the_dark)
            browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
            browser.ask("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
            browser.ask("Promise.all([...document.images].map(i => i.decode()))")
            assert browser.errors == [], where
            assert (where, browser.ask(BROKEN)) == (where, [])
            assert (where, browser.ask(OVERFLOWING)) == (where, [])
            assert browser.ask("document.documentElement.scrollWidth") <= width, where
            assert browser.ask("[...document.images].filter(i => !i.alt.trim() || !i.naturalWidth).length") == 0, where
            assert browser.ask("document.images.length") >= images, where
            assert (where, browser.ask(CONTRAST)) == (where, [])
        assert [r for r in browser.requests if not r.startswith(("file:", "data:"))] == []
