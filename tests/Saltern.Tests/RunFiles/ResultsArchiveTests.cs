using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Saltern.RunFiles;
using Saltern.Tests.Verdicts;

namespace Saltern.Tests.RunFiles;

// An archive of results gives what the folder gave; a strange one is refused with words.
public sealed class ResultsArchiveTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheSameFiles_GiveTheSameBytes_AndComeBack()
    {
        Dictionary<string, byte[]> files = Files("SALT/seed-2", "SALT/seed-1", "BASELINE/seed-1");
        byte[] packed = ResultsArchive.Pack(files);
        byte[] again = ResultsArchive.Pack(files.Reverse().ToDictionary());
        Assert.Equal(packed, again);
        IReadOnlyDictionary<string, byte[]> back = ResultsArchive.Parse(packed, "x").Files;
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), back.Keys.Order(StringComparer.Ordinal));
        Assert.All(files, file => Assert.Equal(file.Value, back[file.Key]));
        using var zip = new ZipArchive(new MemoryStream(packed));
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), zip.Entries.Select(entry => entry.FullName));
        Assert.All(zip.Entries, entry => Assert.Equal(new DateTime(1980, 1, 1), entry.LastWriteTime.DateTime));
    }

    [Fact]
    public void ARunInAnArchive_IsThatOfItsFolder()
    {
        Dictionary<string, byte[]> files = Files("SALT/seed-1");
        foreach ((string name, byte[] content) in files)
        {
            string path = _folder["results/" + name];
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, content);
        }

        RunRecord folder = RunRecord.Load(_folder["results/SALT/seed-1"]);
        RunRecord archived = NamedRuns.Load(Assert.Single(NamedRuns.Of(Write(files))));
        Assert.Equal("salt", folder.Result.Arm);
        Assert.Equal(
            JsonSerializer.Serialize(folder with { Result = folder.Result with { Arm = "SALT" } }),
            JsonSerializer.Serialize(archived)
        ); // arms of a study share the method
        Assert.Equal(folder.Metrics.Series("valid/loss"), archived.Metrics.Series("valid/loss"));
        Assert.Equal(folder.Documents, archived.Documents);
    }

    [Fact]
    public void APlaceInAnArchive_NamesTheRunsBelowIt_ButNotThoseWithinARun()
    {
        string archive = Write(
            Files(
                "BASELINE/seed-1",
                "BASELINE/seed-1/finetune/sums/seed-1",
                "BASELINE/seed-1/finetune/sums/seed-2",
                "BASELINE-70/seed-1",
                "alone"
            )
        );
        string[] At(string place) =>
            [.. NamedRuns.Of(archive + place).Select(run => Path.GetRelativePath(archive, run.Name))];
        Assert.Equal(["BASELINE-70/seed-1", "BASELINE/seed-1", "alone"], At(""));
        Assert.Equal(["BASELINE/seed-1"], At("/BASELINE"));
        Assert.Equal(["BASELINE/seed-1"], At("/BASELINE/seed-1/"));
        Assert.Equal(
            ["BASELINE/seed-1/finetune/sums/seed-1", "BASELINE/seed-1/finetune/sums/seed-2"],
            At("/BASELINE/seed-1/finetune")
        );
        string message = Assert.Throws<DataFormatException>(() => At("/MUON")).Message;
        Assert.Contains(
            archive + "/MUON: there is no run. The archive has BASELINE-70/seed-1, ",
            message,
            StringComparison.Ordinal
        );
        Assert.Equal(_folder.Path, NamedRuns.ReportFolder(archive + "/BASELINE"));
        Assert.Equal("runs/a", NamedRuns.ReportFolder("runs/a"));
        Assert.Equal(
            ["BASELINE-70", "BASELINE", "salt"],
            NamedRuns.Of(archive).Select(run => NamedRuns.Load(run).Result.Arm)
        );
    }

    [Fact]
    public void AnArchiveOfAnotherProgram_IsRead()
    {
        string path = _folder["other.zip"];
        using (var zip = new ZipArchive(File.Create(path), ZipArchiveMode.Create))
        {
            zip.CreateEntry("SALT/");
            foreach ((string name, byte[] content) in Files("SALT/seed-1"))
            {
                using Stream entry = zip.CreateEntry(name).Open();
                entry.Write(content);
            }
        }

        Assert.Equal("SALT", NamedRuns.Load(Assert.Single(NamedRuns.Of(path))).Result.Arm);
    }

    [Theory]
    [InlineData("../metrics.jsonl")]
    [InlineData("a/../../metrics.jsonl")]
    [InlineData("/etc/metrics.jsonl")]
    [InlineData("a//metrics.jsonl")]
    [InlineData("./metrics.jsonl")]
    [InlineData("a\\..\\metrics.jsonl")]
    [InlineData("C:/metrics.jsonl")]
    [InlineData("a\n/metrics.jsonl")]
    public void ANameThatLeavesTheFolder_IsRefused(string name) =>
        Refused("no name below a folder", ResultsArchive.Pack(new Dictionary<string, byte[]> { [name] = [1] }));

    [Fact]
    public void ANameThatIsThereTwice_IsRefused()
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            zip.CreateEntry("a/metrics.jsonl");
            zip.CreateEntry("a/metrics.jsonl");
        }

        Refused("twice", stream.ToArray());
    }

    [Fact]
    public void MoreThanResultsAre_IsRefused_BeforeItIsUnpacked()
    {
        // A zip file of a few hundred bytes that says it unpacks to 4 GB: what it says is what is refused.
        byte[] bomb = Foreign([.. new byte[100_000]]);
        int directory = bomb.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(bomb.AsSpan(directory + 24), uint.MaxValue - 1);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refused("unpacks to more than", bomb);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);

        // One that says less than it has gives no more than it says.
        BinaryPrimitives.WriteUInt32LittleEndian(bomb.AsSpan(directory + 24), 10);
        try
        {
            Assert.All(ResultsArchive.Parse(bomb, "x").Files, file => Assert.Equal(10, file.Value.Length));
        }
        catch (DataFormatException e)
        {
            Assert.StartsWith("x ", e.Message, StringComparison.Ordinal);
        }

        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            for (int i = 0; i <= 50_000; i++)
            {
                zip.CreateEntry($"run-{i}/metrics.jsonl");
            }
        }

        Refused("at most 50,000", stream.ToArray());
    }

    [Fact]
    public void WhatIsNoArchive_IsRefused()
    {
        Refused("is no zip file", []);
        Refused("is no zip file", Encoding.UTF8.GetBytes("step: 1"));
        byte[] packed = ResultsArchive.Pack(Files("SALT/seed-1"));
        Refused("its end is missing", packed[..^1]);
        Refused("its end is missing", [.. packed, 0]);
        File.WriteAllBytes(
            _folder["empty.zip"],
            ResultsArchive.Pack(new Dictionary<string, byte[]> { ["readme.txt"] = [65] })
        );
        Assert.Contains(
            "there is no run. The archive has none at all.",
            Assert.Throws<DataFormatException>(() => NamedRuns.Of(_folder["empty.zip"])).Message,
            StringComparison.Ordinal
        );
        using (var file = new FileStream(_folder["large.zip"], FileMode.CreateNew))
        {
            file.SetLength(65L << 20);
        }

        Assert.Contains(
            "at most 67,108,864 are read",
            Assert.Throws<DataFormatException>(() => NamedRuns.Of(_folder["large.zip"])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void EveryChangedByte_IsNoticed()
    {
        byte[] packed = ResultsArchive.Pack(Files("SALT/seed-1"));
        for (int at = 0; at < packed.Length; at++)
        {
            byte[] bad = [.. packed];
            bad[at] ^= (byte)(1 << (at % 8));
            Assert.StartsWith(
                "x ",
                Assert.Throws<DataFormatException>(() => ResultsArchive.Parse(bad, "x")).Message,
                StringComparison.Ordinal
            );
        }
    }

    [Fact]
    public void RandomBytesWithinAForeignArchive_AreRefusedOrRead_NeverACrash()
    {
        byte[] good = Foreign(Files("SALT/seed-1")["SALT/seed-1/result.json"]);
        var random = new Random(1);
        for (int round = 0; round < 2_000; round++)
        {
            byte[] bad = [.. good];
            for (int i = 0; i < 1 + (round % 4); i++)
            {
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            }

            try
            {
                _ = ResultsArchive.Parse(bad, "x");
            }
            catch (DataFormatException e)
            {
                Assert.StartsWith("x ", e.Message, StringComparison.Ordinal);
            }
        }
    }

    private static void Refused(string why, byte[] archive)
    {
        string message = Assert.Throws<DataFormatException>(() => ResultsArchive.Parse(archive, "x.zip")).Message;
        Assert.StartsWith("x.zip ", message, StringComparison.Ordinal);
        Assert.Contains(why, message, StringComparison.Ordinal);
    }

    private static byte[] Foreign(byte[] content)
    {
        var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            using Stream entry = zip.CreateEntry("a/metrics.jsonl").Open();
            entry.Write(content);
        }

        return stream.ToArray();
    }

    private string Write(Dictionary<string, byte[]> files)
    {
        string path = _folder["results.zip"];
        File.WriteAllBytes(path, ResultsArchive.Pack(files));
        return path;
    }

    private static Dictionary<string, byte[]> Files(params string[] runs)
    {
        RunRecord run = FakeStudy.Run("salt", 1, 3.5, stage1End: 300);
        string metrics = string.Concat(
            run.Metrics.Steps.Select(step =>
                "{"
                + string.Join(
                    ',',
                    run.Metrics.Row(step)
                        .Select(value => $"\"{value.Key}\":{JsonSerializer.Serialize(value.Value)}")
                        .Prepend($"\"step\":{step}")
                )
                + "}\n"
            )
        );
        var texts = new Dictionary<string, string>
        {
            ["recipe.yaml"] = run.RecipeText!,
            ["metrics.jsonl"] = metrics,
            ["result.json"] = run.Result.ToJson(),
            ["eval/documents.jsonl"] = string.Concat(
                run.Documents.Select(document =>
                    JsonSerializer.Serialize(document, ReportJson.Options).ReplaceLineEndings("") + "\n"
                )
            ),
        };
        return runs.SelectMany(name => texts.Select(text => (Name: $"{name}/{text.Key}", Text: text.Value)))
            .ToDictionary(file => file.Name, file => Encoding.UTF8.GetBytes(file.Text));
    }
}
