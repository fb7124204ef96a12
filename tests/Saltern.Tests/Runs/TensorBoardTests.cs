using System.Buffers.Binary;
using System.Text;
using Saltern.RunFiles;
using Saltern.Runs;

namespace Saltern.Tests.Runs;

// Event files are read here by the formats themselves: TFRecord with its checksums bit by bit, and Protocol Buffers field by field.
public sealed class TensorBoardTests : IDisposable
{
    // Fields of Event and of Summary.Value.
    private const int WallTime = 1;
    private const int Step = 2;
    private const int FileVersion = 3;
    private const int Summary = 5;
    private const int Session = 7;

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ARun_HasOneFile_WithItsMetricsTimesSettingsAndTexts()
    {
        RunConfig config = TinyRun.Shared.Plain("events", 40);
        config = config with { Training = config.Training with { SampleText = true } };
        double before = Now();
        RunResult result = Train(config, 40)!;
        double after = Now();

        Message[] events = Read(Assert.Single(Files()));
        Assert.Equal("brain.Event:2", events[0].Text(FileVersion));
        Assert.All(events, one => Assert.InRange(one.Double(WallTime), before, after));
        Assert.True(
            events.Zip(events.Skip(1)).All(pair => pair.First.Double(WallTime) <= pair.Second.Double(WallTime))
        );

        // Every metric of metrics.jsonl is there, in float32, at its step.
        MetricsTable metrics = RunRecord.Load(_folder["run"]).Metrics;
        foreach (string name in (string[])[MetricNames.TrainLoss, MetricNames.ValidLoss, MetricNames.LearningRate])
        {
            Assert.Equal(
                metrics.Series(name).Select(point => (point.Step, (float)point.Value)),
                Scalars(events, name).Select(point => (point.Step, point.Value))
            );
        }

        Assert.NotEmpty(Scalars(events, "valid/first/loss"));

        Message settings = Data(events, "_hparams_/session_start_info", "hparams").Single(3);
        Dictionary<string, Message> keys = settings
            .All(1)
            .ToDictionary(entry => entry.Text(1), entry => entry.Single(2), StringComparer.Ordinal);
        Assert.Equal(3e-3, keys["optimizer.learning_rate"].Double(2));
        Assert.Equal(40, keys["training.steps"].Double(2));
        Assert.Equal("adamw", keys["optimizer.kind"].Text(3));
        Assert.Equal(1, keys["training.sample_text"].Number(4));
        Assert.Equal("events", settings.Text(4));
        Message end = Data(events, "_hparams_/session_end_info", "hparams").Single(4);
        Assert.Equal(1, end.Number(1));
        Assert.InRange(end.Double(2), before, after);

        Assert.Contains(
            "learning_rate: 0.003",
            Texts(events, "recipe").Single().Texts.Single(),
            StringComparison.Ordinal
        );
        (int Step, string[] Texts)[] samples = Texts(events, "generated");
        Assert.Equal([20, 40, 40], samples.Select(sample => sample.Step));
        Assert.All(samples, sample => Assert.Equal(result.TextSamples.Count, sample.Texts.Length));
        Assert.NotEmpty(result.TextSamples);
        Assert.Equal(
            result.TextSamples.Select(sample => sample.Prompt + sample.Text),
            samples[^1]
                .Texts.Select(text =>
                    text.Replace("**", "", StringComparison.Ordinal).Replace("\\", "", StringComparison.Ordinal)
                )
        );
    }

    [Fact]
    public void AResumedRun_GoesOnInItsFile_BehindWhatWasTorn()
    {
        RunConfig config = TinyRun.Shared.Plain("events", 40);
        Train(config, 23, finish: false);
        string path = Assert.Single(Files());
        int whole = Read(path).Length;
        using (FileStream file = File.Open(path, FileMode.Append))
        {
            file.Write([200, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        }

        Train(config, 40, resume: true);
        Assert.Equal(path, Assert.Single(Files()));
        Message[] events = Read(path);

        // A session begins (1) behind the checkpoint, which makes TensorBoard drop what an earlier life wrote from there on.
        Message session = events[whole];
        Assert.Equal((21, 1L), ((int)session.Number(Step), session.Single(Session).Number(1)));
        Assert.Equal([25, 30, 35, 40], Scalars(events[whole..], MetricNames.TrainLoss).Select(point => point.Step));
        Assert.Single(events, one => Tags(one).Contains("_hparams_/session_start_info"));
    }

    [Fact]
    public void AFileTornInItsFirstRecord_BeginsAnewWithItsVersion()
    {
        RunConfig config = TinyRun.Shared.Plain("torn", 30);
        Train(config, 23, finish: false);
        string path = Assert.Single(Files());
        using (FileStream file = File.Open(path, FileMode.Open))
        {
            file.SetLength(7);
        }

        Train(config, 30, resume: true);
        Message[] events = Read(path);
        Assert.Equal("brain.Event:2", events[0].Text(3));
        Assert.Equal([25, 30], Scalars(events, MetricNames.TrainLoss).Select(point => point.Step));
    }

    private RunResult? Train(RunConfig config, int until, bool resume = false, bool finish = true)
    {
        using TrainingRun run = TrainingRun.Open(config, _folder["run"], TinyRun.Quick with { Resume = resume });
        run.Continue(until, CancellationToken.None);
        return finish ? run.Finish() : null;
    }

    private string[] Files() => Directory.GetFiles(_folder["run"], "events.out.tfevents.*");

    private static double Now() => (DateTime.UtcNow - DateTime.UnixEpoch).TotalSeconds;

    private static IEnumerable<string> Tags(Message one) =>
        one.All(Summary).SelectMany(summary => summary.All(1)).Select(value => value.Text(1));

    private static (int Step, float Value)[] Scalars(Message[] events, string tag) =>
        [
            .. events.SelectMany(one =>
                one.All(Summary)
                    .SelectMany(summary => summary.All(1))
                    .Where(value => value.Text(1) == tag)
                    .Select(value => ((int)one.Number(Step), BitConverter.Int32BitsToSingle((int)value.Number(2))))
            ),
        ];

    // What a plug-in's summary carries in its metadata.
    private static Message Data(Message[] events, string tag, string plugin)
    {
        Message value = events
            .SelectMany(one => one.All(Summary).SelectMany(summary => summary.All(1)))
            .Single(value => value.Text(1) == tag);
        Assert.Equal(plugin, value.Single(9).Single(1).Text(1));
        return value.Single(9).Single(1).Single(2);
    }

    private static (int Step, string[] Texts)[] Texts(Message[] events, string tag) =>
        [
            .. events.SelectMany(one =>
                one.All(Summary)
                    .SelectMany(summary => summary.All(1))
                    .Where(value => value.Text(1) == tag && value.Single(9).Single(1).Text(1) == "text")
                    .Select(value =>
                        (
                            (int)one.Number(Step),
                            value.Single(8).All(8).Select(text => Encoding.UTF8.GetString(text.Bytes)).ToArray()
                        )
                    )
            ),
        ];

    private static Message[] Read(string path)
    {
        List<Message> events = [];
        byte[] file = File.ReadAllBytes(path);
        int at = 0;
        while (at < file.Length)
        {
            int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan(at));
            Assert.Equal(Checksum(file.AsSpan(at, 8)), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 8)));
            byte[] bytes = file[(at + 12)..(at + 12 + length)];
            Assert.Equal(Checksum(bytes), BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(at + 12 + length)));
            events.Add(new Message(bytes));
            at += length + 16;
        }

        return [.. events];
    }

    // CRC-32C bit by bit, masked as TensorFlow does.
    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~0u;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc >> 1) ^ ((crc & 1) * 0x82F63B78);
            }
        }

        crc = ~crc;
        return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
    }

    private sealed class Message
    {
        private readonly List<(int Field, ulong Number, byte[] Bytes)> _fields = [];

        public Message(byte[] bytes)
        {
            Bytes = bytes;
            int at = 0;
            while (at < bytes.Length)
            {
                ulong key = Varint(bytes, ref at);
                int field = (int)(key >> 3);
                switch (key & 7)
                {
                    case 0:
                        _fields.Add((field, Varint(bytes, ref at), []));
                        break;
                    case 1:
                        _fields.Add((field, BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at)), []));
                        at += 8;
                        break;
                    case 2:
                        int length = (int)Varint(bytes, ref at);
                        _fields.Add((field, 0, bytes[at..(at + length)]));
                        at += length;
                        break;
                    default:
                        _fields.Add((field, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at)), []));
                        at += 4;
                        break;
                }
            }
        }

        public byte[] Bytes { get; }

        public long Number(int field) => (long)_fields.Single(one => one.Field == field).Number;

        public double Double(int field) => BitConverter.Int64BitsToDouble(Number(field));

        public string Text(int field) => Encoding.UTF8.GetString(_fields.Single(one => one.Field == field).Bytes);

        public Message Single(int field) => new(_fields.Single(one => one.Field == field).Bytes);

        // A text is no message: its bytes are kept as they are.
        public IEnumerable<Message> All(int field) =>
            _fields
                .Where(one => one.Field == field)
                .Select(one => field == 8 ? Raw(one.Bytes) : new Message(one.Bytes));

        private static Message Raw(byte[] bytes) => new(bytes, isRaw: true);

        private Message(byte[] bytes, bool isRaw)
        {
            Assert.True(isRaw);
            Bytes = bytes;
        }

        private static ulong Varint(byte[] bytes, ref int at)
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte part = bytes[at++];
                value |= (ulong)(part & 0x7F) << shift;
                if (part < 0x80)
                {
                    return value;
                }
            }
        }
    }
}
