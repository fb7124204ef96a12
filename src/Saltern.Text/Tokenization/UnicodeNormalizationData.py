"""Writes UnicodeNormalizationData.cs from Python's copy of the Unicode character database: python3 UnicodeNormalizationData.py

The data are those of Unicode 9.0, as in Hugging Face's tokenizers (up to 0.23): what was assigned later neither changes nor combines there.
Assigned characters never change their mappings, so the later ones need only be left out of any newer database.
"""
import base64
import pathlib
import unicodedata
import zlib

# Marks, and characters with mappings, that came after 9.0 (and before 15.0); between the ends of a range lies nothing of 9.0 that matters.
LATER = """
7FD 898-89F 8CA-8D3 9FE AFA-AFF B55 C04 C3C D00 D3B-D3C D81 EBA 1715 180F 1ABF-1ACE 1CF7 1DF6-1DFA 32FF A7F2-A7F4 A82C A8FF AB69
10781-107BA 10D24-10D27 10EAB-10EAC 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 11145-11146 111C9 111CE-111CF 1133B 1145E
1182C-1183A 11930-1193E 11940 11942-11943 119D1-119E0 119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E 11A47 11A51-11A5B 11A8A-11A99
11D31-11D45 11D47 11D8A-11D97 11EF3-11EF6 16F4F 16F7F-16F87 16FE4-16FF1 1CF00-1CF46 1E130-1E136 1E2AE 1E2EC-1E2EF 1F16C 1FBF0-1FBF9
"""
MARKS_IN_9 = {0x1CF2, 0x1CF3}  # letters since 12.0

# What 15.0 and later added is beyond LATER: an older Python makes the data.
assert unicodedata.unidata_version == "14.0.0", "run it with the Unicode 14.0 of Python 3.11"

later = set()
for item in LATER.split():
    first, _, last = item.partition("-")
    later.update(range(int(first, 16), int(last or first, 16) + 1))


def number(value):
    """Seven bits a byte, low ones first, the top bit set on all but the last."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


mappings, compatible, classes, marks = [], [], [], []
for code in range(0x110000):
    character = chr(code)
    if code in later:
        continue
    if unicodedata.combining(character):
        classes.append((code, unicodedata.combining(character)))
    if unicodedata.category(character)[0] == "M" or code in MARKS_IN_9:
        marks.append(code)
    mapping = unicodedata.decomposition(character)
    parts = [int(part, 16) for part in mapping.split() if part[0] != "<"]
    if mapping.startswith("<"):
        compatible.append((code, parts))
    elif mapping:
        composes = len(parts) == 2 and unicodedata.normalize("NFC", character) == character
        mappings.append((code, parts[0], parts[1] if len(parts) == 2 else 0, composes))

data, previous = bytearray(number(len(mappings))), 0
for code, first, second, composes in mappings:
    data += number((code - previous) << 1 | composes) + number(first) + number(second)
    previous = code
data += number(len(compatible))
previous = 0
for code, parts in compatible:
    data += number(code - previous) + number(len(parts)) + b"".join(map(number, parts))
    previous = code
data += number(len(classes))
previous = 0
for code, value in classes:
    data += number(code - previous) + number(value)
    previous = code
data += number(len(marks))
previous = 0
for code in marks:
    data += number(code - previous)
    previous = code

packer = zlib.compressobj(9, zlib.DEFLATED, -15)
text = base64.b64encode(packer.compress(bytes(data)) + packer.flush()).decode()
lines = [text[i:i + 100] for i in range(0, len(text), 100)]
path = pathlib.Path(__file__).with_suffix(".cs")
path.write_text(
    "namespace Saltern.Tokenization;\n\n"
    f"/// <summary>Mappings, combining classes and marks of Unicode 9.0, packed; see {pathlib.Path(__file__).name}.</summary>\n"
    "internal static class UnicodeNormalizationData\n{\n"
    "    /// <summary>Base64 of raw deflate of numbers of seven bits a byte.</summary>\n"
    "    public const string Packed =\n        \""
    + "\"\n        + \"".join(lines) + "\";\n}\n")
print(len(mappings), len(compatible), len(classes), len(marks), len(data), len(text))
