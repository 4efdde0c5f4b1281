"""Files of every kind for tests of indexing."""

from __future__ import annotations

import base64
import io
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from inloop.tools.documents import Document, media_of, parse


class Words(NamedTuple):
    """Words at a place of a page, in points from its lower left corner."""

    x: float
    y: float
    text: str
    size: float = 12


def pdf(*pages: str, title: str = "") -> bytes:
    """A small valid PDF with a line of text a page; an empty text gives a page that only has a drawn box."""
    return pdf_of(*([Words(50, 700, text)] if text else [] for text in pages), title=title)


def pdf_of(*pages: Sequence[Words], title: str = "", field: tuple[str, str] | None = None) -> bytes:
    """A PDF with words at their places; `field` is the name and the value of a form field on its last page."""
    bodies = ["", ""]
    kids = []
    for words in pages:
        stream = "".join(
            f"BT /F1 {word.size} Tf 1 0 0 1 {word.x} {word.y} Tm ({_escaped(word.text)}) Tj ET " for word in words
        )
        stream = stream or "100 100 200 200 re f"
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        form = f" /Annots [{len(bodies) + 2} 0 R]" if field and words is pages[-1] else ""
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(bodies)} 0 R{form}"
            " /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
        )
        kids.append(f"{len(bodies)} 0 R")
    catalogue = "/Type /Catalog /Pages 2 0 R"
    if field:
        name, value = map(_escaped, field)
        bodies.append(
            f"<< /Type /Annot /Subtype /Widget /FT /Tx /T ({name}) /V ({value}) /Rect [300 690 500 710]"
            " /DA (/F1 12 Tf 0 g) /F 4 >>"
        )
        catalogue += f" /AcroForm << /Fields [{len(bodies)} 0 R] /DA (/F1 12 Tf 0 g) >>"
    bodies[0] = f"<< {catalogue} >>"
    bodies[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    bodies.append(f"<< /Title ({_escaped(title)}) >>")
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    places = []
    for number, body in enumerate(bodies, start=1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1"))
    start = out.tell()
    out.write(f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{place:010} 00000 n \n" for place in places).encode())
    out.write(
        f"trailer << /Size {len(bodies) + 1} /Root 1 0 R /Info {len(bodies)} 0 R >>\nstartxref\n{start}\n%%EOF".encode()
    )
    return out.getvalue()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def locked_pdf(user: str) -> bytes:
    """`pdf("The mill of Osterby burned down in 1911.")` under AES-256 with the owner's password "owner", as pypdf writes it.

    `user`: the password that opens it, empty or "secret".
    """
    return zlib.decompress(base64.b85decode("".join(_LOCKED[user].split())))


def shared(name: str) -> Path:
    """A file of the inputs that are given beside the repository; skips where they are not there."""
    path = Path(os.environ.get("INLOOP_DATA", Path(__file__).parents[2] / "shared" / "data")) / "reports" / "rag" / name
    if not path.exists():
        pytest.skip(f"reports/rag is not in {path.parents[2]}: set INLOOP_DATA to the folder with it")
    return path


def png(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


_LOCKED = {
    "": """
        c-oCrJ&0UY6h`bGDa1lBjTd225PkRm2gW7I?hJ}9yY9pV5sUkC?(T%yH_My1ArXvVX^IHjSZE=VMzB&4jI4#&h(ypPSct4>p-3u4EX4C>CbMHU
        h3~!M-gCeEo$q{{ca}C*drz{bM6q=A(>LE0j8HNP7m7}&D9>Ns15&Q|#t%o^MY-X(VN5szHjCxu0;<#k`H2e?Tv0wZNMrIc5iOp)Qj{yB{i-2s
        ;i|aj)izNL2%Tms*B}l2xzQ!$qWEgYiE(_&STzV76FEh0!g#b_M-<sI_V9GNVB|PM8!gKIerP7!Hpq(doFBskUp@oFi_i?BZ*|VUnP9mf_<5+d
        n;qhGdp>Sz@Vmu9bN^#U-wwaJcH^(tZeM-+!SmPB18@HR`Kh<lpC3H>+oxyVy}EYr{)c~GuT~Cjef;>1FF!iG^44v*l@6OPK0E!+_wevb|GaUy
        )f_$a^Vg?-*?GPH>wPyL`QwM1FMRUj(R)u^zYtp;vs5!hYSF?$GX&CM6aq`Yz<L#AaFV4I6AdXO%e0O;D_|*u^o(&C!8je5r@=?7qoR7TV7)-U
        MHE_0^t^PgaJ@k!chYIY9Y?DN!v<<n_8VU%U#Fs6Cmjb_Xe$j1HZyOila?#cG-MH?jTS%)>XTM9`lyjko2a!CTzD3o64W>r1?5s@rK1Z1kjxnl
        j%QAlT`tNOF^jY@Xl|mD2?Tf1AO&;4rH}@)<i^IB1*Axm&CXdvk-&I?S->*KouZ6c!4j21Sulnw3L+-vfuo_AWu-T1q<)iTtF!yfPWNKltL5q_
        uJ1wBg4RfRw%gwlbE5>GwGm$3?U5-#yQz;i>s`{(-e~Tyx)ivh%vzT?b<}Gku@=ZYDpUzN8<{PO9*b3xTH&Y(T$s=rfi#q&4boajPPVoRt0d3H
        N|i#+=xOwfDy0mXXiVZcNDVS6>3m9%Dbj2}y^DWQRv9JOEKCF|bmq#c=mV2fQ=!9uTIEs=xuC=pbp8;nlu#s-d5mGdPEM-hn3gAEjEfU7fxEk7
        QtA^iCE0PTsr_IG^`w9MgI59Nm7Ajxj-lzqc(%$TqGsz=oG=}*7EMZ4QT$nwQ^~o^189vsVI#2R{{z9<)U9HDd9NY*&bS;mzHTNaF^WTDX{o#3
        EB*yYIgGy
    """,
    "secret": """
        c-oCrJ&YSg6fO`^v=Ra&8bmYA6%?@ZKRb$bD0gS;A~@NcNuq!dnx8j!j(oevdL3O5Ed>oIRFo-*grGozj)p%WpdpBqRQz>UK!ZXBZ*AkVxD@eP
        +L<@sd+&SSzIkhdt=?1YX_2k{^6Tw886%Wb{%Y3gWcdr%4}s*Hu5sgPFUtpR4<>{oU^iP|&!CJgke_mx;j;YMQJj#Mh-mTT<t*Q<re#CeimSM%
        Yn!MBgw8YNI}k^1qdLM^6d%nvF_zCGmJI?YM9z`BFsY_>K$3059-ht@jGSa>tyw;t`ewFmjV#MI+yrL$d>h8spcw_%@?8EGgyjn1=b+qc_KDT)
        `J}1A9b|v&{;lKNKWu;h;Ek)F-~H(FrxzZ-`}=zz?tgLg(_i1}$KHK@`b77|N6&oLKlkR9GoM_3{npv;+i(5$!11|9c8&*ko_X@@9~Xao=hd%o
        ym52%&&{v?+}Qr^oALg~Kfm(+LmxbR<><>v%VUvh!APx2IBLc~I^H;%q)&wvj2bHnh&nOG1k*GsE>&<QI#+la0#{T@Ypu50sAOYwiLMr`SHfQ+
        3MD3bSvps^9uUc`M0ajEN<A7kP?LPvxH7srW_ce8Nzfb$7w`=}1jV>hJSs0K_0k0|k+C(ADjsN|y^_Le6@ZGudtHd4;K7LyJ@d(Ht*i|?@*;AY
        xL`)DXZc0ai6Kd4y)}h5ysgj!6H1x@jyfeoq)bJw9K#Z$4xT&hrFP(akS6&Uqvb**PBm6jSnmbWwLbcShW3qFHhZ&18a8pUIzMgpyVu%Y&9|!1
        KZLRc?U4L@cX&xGg%W(xM(BFbBl7_5rasy9yQHHGP%4e&+H)C|;2P`oiGrenY8y<5ECPO52##ulO337cU@XKKSSnf}Fbvi$z<S{j$fLEACaM6-
        rpno((2hqYtQAf$5tzbC@je;+N-8i%slhM<s1NWKfzi}NC<5mw5rC5%qKyGW6ozZI+A2piq>K`i(dCb5rGz4hENu+?b#_vo*t9%lV_clF3EchP
        CZ#@QQ<9z7n%a%VP|x~zIC>3`UcOsZIELmE<3gD#q895doG=}$99{)$P*&+oFg{@)dLB?IY*`uC?+1djsauBn`e8%#f8%n}xVo8%#3&ApwY6@)
        m;DPoXNw#
    """,
}


def read(data: bytes | str, media: str, **given: object) -> Document:
    """What `parse` reads of a file named "file"."""
    return parse(data if isinstance(data, bytes) else data.encode(), media, id="d", name="file", **given)


def read_shared(name: str) -> Document:
    """What `parse` reads of a given input."""
    path = shared(name)
    return parse(path.read_bytes(), media_of(path) or "", id=name, name=name)


def sections(document: Document) -> list[tuple[tuple[str, ...], str]]:
    """The headings and the words of each section that has some."""
    found = [(section.headings, document.text[section.start : section.end].strip()) for section in document.sections]
    return [(headings, text) for headings, text in found if text]
