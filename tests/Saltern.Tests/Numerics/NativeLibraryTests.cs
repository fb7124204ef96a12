using System.Text;

namespace Saltern.Tests.Numerics;

// docs/decisions/0001: TorchSharp's library asks for a newer libstdc++ than Debian 12 has, through one symbol that nothing refers to.
// These tests fail when an upgrade changes that cause: then the workaround must be looked at anew.
public class NativeLibraryTests
{
    private const string Version = "GLIBCXX_3.4.32";
    private const string Marker = "_ZSt21ios_base_library_initv";
    private const int WeakFlag = 2;

    private static readonly string Library = Path.Combine(
        AppContext.BaseDirectory,
        "runtimes",
        "linux-x64",
        "native",
        "libLibTorchSharp.so"
    );

    [Fact]
    public void OnlyTheMarkerSymbol_NeedsTheNewLibrary()
    {
        byte[] elf = File.ReadAllBytes(Library);
        Assert.Equal([Marker], SymbolsOfVersion(elf, VersionIndex(elf, out _)));
    }

    [Fact]
    public void NothingRefersToTheMarkerSymbol()
    {
        byte[] elf = File.ReadAllBytes(Library);
        int marker = Symbols(elf).FindIndex(symbol => symbol.Name == Marker);
        Assert.True(marker > 0);
        Assert.DoesNotContain(marker, RelocatedSymbols(elf));
    }

    [Fact]
    public void TheNeed_IsWeakInTheOutput()
    {
        VersionIndex(File.ReadAllBytes(Library), out int flags);
        Assert.Equal(WeakFlag, flags & WeakFlag);
    }

    // Index by which symbols refer to the version, and the flags of its need.
    private static int VersionIndex(byte[] elf, out int flags)
    {
        foreach (Section section in Sections(elf).Where(s => s.Type == 0x6ffffffe)) // SHT_GNU_verneed
        {
            long strings = Sections(elf)[(int)section.Link].Offset;
            long need = section.Offset;
            for (uint file = 0; file < section.Info; file++)
            {
                long entry = need + U32(elf, need + 8);
                for (int version = 0; version < U16(elf, need + 2); version++)
                {
                    if (Text(elf, strings + U32(elf, entry + 8)) == Version)
                    {
                        flags = U16(elf, entry + 4);
                        return U16(elf, entry + 6);
                    }

                    entry += U32(elf, entry + 12);
                }

                need += U32(elf, need + 12);
            }
        }

        throw new InvalidDataException($"{Library} no longer needs {Version}: the workaround can go.");
    }

    private static List<string> SymbolsOfVersion(byte[] elf, int index)
    {
        Section versions = Sections(elf).Single(s => s.Type == 0x6fffffff); // SHT_GNU_versym
        return
        [
            .. Symbols(elf)
                .Where((_, i) => (U16(elf, versions.Offset + (2L * i)) & 0x7fff) == index)
                .Select(symbol => symbol.Name),
        ];
    }

    private static List<(string Name, int Index)> Symbols(byte[] elf)
    {
        Section dynamic = Sections(elf).Single(s => s.Type == 11); // SHT_DYNSYM
        long strings = Sections(elf)[(int)dynamic.Link].Offset;
        return
        [
            .. Enumerable
                .Range(0, (int)(dynamic.Size / 24))
                .Select(i => (Text(elf, strings + U32(elf, dynamic.Offset + (24L * i))), i)),
        ];
    }

    private static HashSet<int> RelocatedSymbols(byte[] elf) =>
        [
            .. Sections(elf)
                .Where(s => s.Type == 4)
                .SelectMany(s =>
                    Enumerable.Range(0, (int)(s.Size / 24)).Select(i => (int)U32(elf, s.Offset + (24L * i) + 12))
                ),
        ]; // SHT_RELA

    private static List<Section> Sections(byte[] elf)
    {
        long start = BitConverter.ToInt64(elf, 0x28);
        return
        [
            .. Enumerable
                .Range(0, U16(elf, 0x3C))
                .Select(i => start + ((long)i * U16(elf, 0x3A)))
                .Select(s => new Section(
                    U32(elf, s + 4),
                    BitConverter.ToInt64(elf, (int)s + 24),
                    BitConverter.ToInt64(elf, (int)s + 32),
                    U32(elf, s + 40),
                    U32(elf, s + 44)
                )),
        ];
    }

    private static uint U32(byte[] elf, long at) => BitConverter.ToUInt32(elf, (int)at);

    private static ushort U16(byte[] elf, long at) => BitConverter.ToUInt16(elf, (int)at);

    private static string Text(byte[] elf, long at) =>
        Encoding.ASCII.GetString(elf, (int)at, Array.IndexOf(elf, (byte)0, (int)at) - (int)at);

    private sealed record Section(uint Type, long Offset, long Size, uint Link, uint Info);
}
