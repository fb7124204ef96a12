using System.Text;
using Saltern.Cli.Demo;
using Saltern.Corpora;
using Saltern.Tests;

namespace Saltern.Cli.Tests;

public sealed class DotNetReferenceTextTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_WritesATypeAsProse()
    {
        WritePack(
            "P.Ref/1.0.0/ref/net1.0/A.xml",
            """
            <member name="N:System.X"><summary>Not a type.</summary></member>
            <member name="T:System.X.Bag`1">
              <summary>Holds <see langword="null" /> or <typeparamref name="T" />,
               unlike <see cref="T:System.Collections.Generic.List`1" />.
               It is   meant
               as an example, long enough to be kept as a document.</summary>
              <typeparam name="T">The kind of thing.</typeparam></member>
            <member name="M:System.X.Bag`1.#ctor"><summary>Makes an empty one.</summary></member>
            <member
              name="M:System.X.Bag`1.Put``1(`0,``0[],System.Int32@,System.Collections.Generic.IDictionary{System.String,System.Boolean})">
              <summary>Puts <paramref name="thing" /> in.</summary><param name="thing">The thing.</param>
              <param name="more">More things.</param><param name="count">A count, see <see cref="F:System.Int32.MaxValue" />.</param>
              <typeparam name="TOther">Another kind.</typeparam>
              <returns><see langword="true" /> where it fits.</returns>
              <exception cref="T:System.ArgumentNullException"><paramref name="thing" /> is <see langword="null" />.</exception>
              <example><code>
            if (x)
                bag.Put(1);
            </code></example></member>
            <member name="P:System.X.Bag`1.Item(System.Int32)">
              <summary>The thing at a place.</summary><param name="at">The place.</param></member>
            <member name="M:System.X.Bag`1.System#Collections#IEnumerable#GetEnumerator"><summary>Goes through the bag.</summary></member>
            <member name="M:System.X.Bag`1.op_Addition(System.X.Bag{`0},System.X.Bag{`0})"><summary>Adds two bags.</summary></member>
            """
        );

        TextDocument document = Assert.Single(DotNetReferenceText.Read(_folder.Path, Cancel));

        Assert.Equal(
            """
            System.X.Bag<T>

            Holds null or T, unlike List. It is meant as an example, long enough to be kept as a document.
            T: The kind of thing.

            Bag()
            Makes an empty one.

            Bag.Put<TOther>(T thing, TOther[] more, ref int count, IDictionary<string, bool>)
            Puts thing in.
            TOther: Another kind.
            thing: The thing.
            more: More things.
            count: A count, see Int32.MaxValue.
            Returns: true where it fits.
            Throws ArgumentNullException: thing is null.
            Example: if (x)
                bag.Put(1);

            Bag.Item[int at]
            The thing at a place.
            at: The place.

            IEnumerable.GetEnumerator()
            Goes through the bag.

            Bag operator Addition(Bag<T>, Bag<T>)
            Adds two bags.

            """.ReplaceLineEndings("\n").Replace("\nIEnumerable", "\nBag.IEnumerable", StringComparison.Ordinal),
            document.Text
        );
        Assert.Equal("system", document.Domain);
    }

    [Fact]
    public void Read_TakesTheNewestVersionAndEachTypeOnce()
    {
        string Member(string type, string text) =>
            $"<member name=\"T:{type}\"><summary>{string.Join(' ', Enumerable.Range(0, 60).Select(i => $"{text}{i}"))}</summary></member>";
        WritePack(
            "Other.Ref/1.0.0/ref/net9.0/B.xml",
            Member("System.Net.A", "other")
                + Member("Microsoft.AspNetCore.B", "better")
                + Member("Windows.C", "foreign")
        );
        WritePack("Microsoft.NETCore.App.Ref/9.0.9/ref/net9.0/A.xml", Member("System.Net.A", "old"));
        WritePack("Microsoft.NETCore.App.Ref/10.0.1/ref/net10.0/A.xml", Member("System.Net.A", "new"));

        IReadOnlyList<TextDocument> documents = DotNetReferenceText.Read(_folder.Path, Cancel);

        Assert.Equal(
            ["network System.Net.A\n\nnew0", "aspnetcore Microsoft.AspNetCore.B\n\nbetter0"],
            documents.Select(document => $"{document.Domain} {document.Text.Split(' ')[0]}")
        );
    }

    [Fact]
    public void Read_NamesAMissingFolderAndADamagedFile()
    {
        Assert.Contains(
            "holds no reference documentation",
            Assert.Throws<DataFormatException>(() => DotNetReferenceText.Read(_folder.Path, Cancel)).Message,
            StringComparison.Ordinal
        );
        _folder.Write("packs/P/1.0/ref/net1.0/A.xml", "<doc><members><member name=\"T:System.A\">");

        Exception error = Assert.ThrowsAny<Exception>(() => DotNetReferenceText.Read(_folder.Path, Cancel));

        Assert.Contains(
            "A.xml' is not readable XML documentation",
            Assert.IsType<DataFormatException>(error).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void FindSdkRoot_GivenRootGoesFirstAndUselessOnesAreSkipped()
    {
        WritePack("P.Ref/1.0.0/ref/net1.0/A.xml", "");

        Assert.Equal(_folder.Path, DotNetReferenceText.FindSdkRoot(_folder.Path));
        Assert.Equal(DotNetReferenceText.FindSdkRoot(), DotNetReferenceText.FindSdkRoot(_folder["packs"]));
    }

    [Fact]
    public void RealPacks_GiveSeveralMegabytesInWhichNoSentenceRepeats()
    {
        string? root = DotNetReferenceText.FindSdkRoot();
        Assert.SkipWhen(root is null, "This machine has a runtime without the SDK's reference packs.");

        IReadOnlyList<TextDocument> documents = DotNetReferenceText.Read(root!, Cancel);

        Assert.InRange(documents.Sum(document => (long)document.Utf8.Length), 8_000_000, 30_000_000);
        Assert.InRange(documents.Select(document => document.Domain).Distinct().Count(), 3, 8);
        Assert.All(
            documents,
            document => Assert.InRange(document.Utf8.Length, DotNetReferenceText.MinDocumentBytes, int.MaxValue)
        );

        // Split again from the finished text, with the labels taken off, so that the check does not lean on the reader's own parts.
        Dictionary<string, int> firstSeen = [];
        List<string> shared = [];
        for (int i = 0; i < documents.Count; i++)
        {
            foreach (
                string sentence in documents[i]
                    .Text.Split('\n')
                    .Skip(1)
                    .SelectMany(line => line.Split(". "))
                    .Select(part => part.TrimEnd('.'))
            )
            {
                if (sentence.Length >= 60 && !firstSeen.TryAdd(sentence, i) && firstSeen[sentence] != i)
                {
                    shared.Add(sentence);
                }
            }
        }

        // A sentence that ends in "e.g. X" or the like is cut differently here; those few do not matter, a leak of the split would be thousands.
        Assert.True(
            shared.Count < firstSeen.Count / 1000,
            $"{shared.Count} of {firstSeen.Count} sentences are in two documents, such as: {string.Join(" | ", shared.Take(5))}"
        );
    }

    private void WritePack(string path, string members) =>
        _folder.Write(
            $"packs/{path}",
            Encoding.UTF8.GetBytes(
                $"<?xml version=\"1.0\"?><doc><assembly><name>A</name></assembly><members>{members}</members></doc>"
            )
        );
}
