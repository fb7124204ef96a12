using System.Text;
using Parquet.Serialization;
using Saltern.Corpora;

namespace Saltern.Tests.Corpora;

/// <summary>Rows of Parquet as JSON: what is in them, and what is empty.</summary>
public sealed class ParquetRowsTests
{
    // SQuAD v2's answers; half of its questions have none.
    [Fact]
    public async Task EmptyListsWithinStructures_StayEmptyLists()
    {
        using var folder = new TemporaryFolder();
        string path = folder["rows.parquet"];
        await using (FileStream file = File.Create(path))
        {
            await ParquetSerializer.SerializeAsync(
                [
                    new Row("a", new Answers(["one", "two"], [3, 4]), []),
                    new Row("b", new Answers([], []), ["x"]),
                    new Row("c", new Answers(["three"], [5]), []),
                    new Row("d", null, null),
                ],
                file,
                cancellationToken: TestContext.Current.CancellationToken
            );
        }

        Assert.Equal(
            [
                """{"Id":"a","Answers":{"Text":["one","two"],"Start":[3,4]},"Tags":[]}""",
                """{"Id":"b","Answers":{"Text":[],"Start":[]},"Tags":["x"]}""",
                """{"Id":"c","Answers":{"Text":["three"],"Start":[5]},"Tags":[]}""",
                """{"Id":"d","Answers":null,"Tags":[]}""",
            ],
            ParquetRows.Read(path).Select(Encoding.UTF8.GetString)
        );
    }

    private sealed record Row(string Id, Answers? Answers, List<string>? Tags)
    {
        public Row()
            : this("", null, null) { }
    }

    private sealed record Answers(List<string> Text, List<int> Start)
    {
        public Answers()
            : this([], []) { }
    }
}
