namespace Saltern.Watch.Tests;

public sealed class MetricsTailTests : IDisposable
{
    private readonly string _path = Path.Combine(
        Directory.CreateTempSubdirectory("saltern-tail-").FullName,
        "metrics.jsonl"
    );

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);

    [Fact]
    public void NoFileYet_IsEmptyAndNoError()
    {
        var tail = new MetricsTail(_path);
        Assert.False(tail.Poll());
        Assert.Empty(tail.Table.Steps);
    }

    [Fact]
    public void TornLine_CountsOnceItsEndIsThere()
    {
        File.WriteAllText(_path, "{\"step\":1,\"a\":1}\n{\"step\":2,\"a\"");
        var tail = new MetricsTail(_path);
        Assert.True(tail.Poll());
        Assert.Equal([1], tail.Table.Steps);
        Assert.False(tail.Poll());
        File.AppendAllText(_path, ":7}\n");
        Assert.True(tail.Poll());
        Assert.Equal([(1, 1.0), (2, 7.0)], tail.Table.Series("a"));
        Assert.Equal(0, tail.BrokenLines);
    }

    [Fact]
    public void TornInsideACharacter_IsReadWhole()
    {
        // ω is two bytes in UTF-8; a reader that decodes what it has so far makes two replacement characters of it.
        byte[] line = "{\"step\":1,\"ω\":3}\n"u8.ToArray();
        int middle = Array.IndexOf(line, (byte)0xCF) + 1;
        var tail = new MetricsTail(_path);
        File.WriteAllBytes(_path, line[..middle]);
        tail.Poll();
        File.WriteAllBytes(_path, line);
        Assert.True(tail.Poll());
        Assert.Equal([(1, 3.0)], tail.Table.Series("ω"));
    }

    [Fact]
    public void DamagedLineInTheMiddle_IsLeftOutAndCounted()
    {
        File.WriteAllText(_path, "{\"step\":1,\"a\":1}\n{\"step\":2,\"a{\"step\":3,\"a\":3}\n\n{\"step\":4,\"a\":4}\n");
        var tail = new MetricsTail(_path);
        tail.Poll();
        Assert.Equal([1, 4], tail.Table.Steps);
        Assert.Equal(1, tail.BrokenLines);
    }

    [Theory]
    [InlineData("{\"step\":1,\"a\":1}\n", "shorter")]
    [InlineData(
        "{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":5}\n{\"step\":3,\"a\":5}\n{\"step\":4,\"a\":5}\n",
        "longer, other figures"
    )]
    public void FileWrittenAnewOnResume_IsReadAgain(string anew, string how)
    {
        File.WriteAllText(_path, "{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":2}\n{\"step\":3,\"a\":3}\n");
        var tail = new MetricsTail(_path);
        tail.Poll();
        File.WriteAllText(_path + ".writing", anew);
        File.Move(_path + ".writing", _path, overwrite: true);
        Assert.True(tail.Poll(), how);
        Assert.Equal(Saltern.RunFiles.MetricsTable.Parse(anew.Split('\n'), "").Series("a"), tail.Table.Series("a"));
    }

    [Fact]
    public void NoLineFeedForAMebibyte_IsNoMetricsFile()
    {
        File.WriteAllText(_path, new string('x', (1 << 20) + (1 << 17)));
        Assert.Contains(
            "no line feed",
            Assert.Throws<DataFormatException>(() => new MetricsTail(_path).Poll()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void WriterMayGoOnAndReplaceTheFile()
    {
        using var writer = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.Read);
        writer.Write("{\"step\":1}\n"u8);
        writer.Flush();
        var tail = new MetricsTail(_path);
        Assert.True(tail.Poll());
        writer.Write("{\"step\":2}\n"u8);
        writer.Flush();
        Assert.True(tail.Poll());
        Assert.Equal([1, 2], tail.Table.Steps);
    }
}
