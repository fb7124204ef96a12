"""Writes CanonicalCompositionData.cs from Python's copy of the Unicode character database: python3 CanonicalCompositionData.py"""
import base64
import pathlib
import unicodedata
import zlib


def number(value):
    """Seven bits a byte, low ones first, the top bit set on all but the last."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


data, previous, mappings, classes = bytearray(), 0, [], []
for code in range(0x110000):
    character = chr(code)
    if unicodedata.combining(character):
        classes.append((code, unicodedata.combining(character)))
    mapping = unicodedata.decomposition(character)
    if mapping and not mapping.startswith("<"):
        parts = [int(part, 16) for part in mapping.split()]
        composes = len(parts) == 2 and unicodedata.normalize("NFC", character) == character
        mappings.append((code, parts[0], parts[1] if len(parts) == 2 else 0, composes))

data += number(len(mappings))
for code, first, second, composes in mappings:
    data += number((code - previous) << 1 | composes) + number(first) + number(second)
    previous = code
data += number(len(classes))
previous = 0
for code, value in classes:
    data += number(code - previous) + number(value)
    previous = code

packer = zlib.compressobj(9, zlib.DEFLATED, -15)
text = base64.b64encode(packer.compress(bytes(data)) + packer.flush()).decode()
lines = [text[i:i + 100] for i in range(0, len(text), 100)]
path = pathlib.Path(__file__).with_suffix(".cs")
path.write_text(
    "namespace Saltern.Tokenization;\n\n"
    f"/// <summary>Canonical mappings and combining classes of Unicode {unicodedata.unidata_version}, packed; see {pathlib.Path(__file__).name}.</summary>\n"
    "internal static class CanonicalCompositionData\n{\n"
    "    /// <summary>Base64 of raw deflate of numbers of seven bits a byte.</summary>\n"
    "    public const string Packed =\n        \""
    + "\"\n        + \"".join(lines) + "\";\n}\n")
print(len(mappings), len(classes), len(data), len(text), unicodedata.unidata_version)
