using System.Globalization;
using System.Text;
using Saltern.Checkpoints;
using Saltern.ModelFiles;
using Saltern.Models;
using Saltern.RunFiles;

namespace Saltern.Export;

/// <summary>The page that goes with an exported model: what it is, what it was trained on and how, out of what weights and at what cost. Every figure is one of the run's own records.</summary>
internal static class ModelCard
{
    /// <summary>Name of the file in a model folder.</summary>
    public const string FileName = "README.md";

    // What a reader asks for, and what says nothing of the place where the run was made.
    private static readonly (string Key, string Words)[] RecipeKeys =
    [
        ("arm", "arm"),
        ("seed", "seed"),
        ("data.sequence_length", "tokens of a sequence"),
        ("data.format", "layout of the examples"),
        ("training.steps", "steps"),
        ("training.epochs", "epochs"),
        ("training.batch_sequences", "sequences of a step"),
        ("optimizer.kind", "optimizer"),
        ("optimizer.learning_rate", "highest learning rate"),
        ("optimizer.weight_decay", "weight decay"),
        ("schedule.kind", "schedule"),
        ("distillation.weight", "weight of the teacher's labels"),
        ("distillation.transition", "transition"),
        ("lora.rank", "rank of the adapters, merged in"),
        ("precision", "precision"),
    ];

    /// <summary>Where the card of an export goes: into its folder, or beside its file.</summary>
    public static string PathOf(string target, ExportFormat format) =>
        format == ExportFormat.HuggingFace ? Path.Combine(target, FileName) : target + ".md";

    /// <summary>The card's text.</summary>
    /// <param name="source">Model folder that was exported.</param>
    /// <param name="model">The same, opened.</param>
    /// <param name="name">What the card calls it.</param>
    public static string Write(string source, SourceModel model, string name, WeightType type)
    {
        IReadOnlyList<RunAncestor> history = Lineage.Of(source, source, ignoredKeys: model.Reading.Ignored);
        string run = Path.GetFullPath(Path.Combine(source, "..", ".."));
        TrainState? state = File.Exists(Path.Combine(source, Checkpoint.StateFile))
            ? Checkpoint.LoadState(source)
            : null;
        RunResult? result = ResultOf(run, source, state);
        var card = new StringBuilder();
        card.Append("---\n# license: yours to choose; see below\ntags: [saltern]\n---\n\n");
        card.Append(null, $"# {name}\n\n");
        Shape(card, model, type);
        History(card, history);
        Training(card, run, state, model);
        Scores(card, result);
        card.Append("## Licence\n\n");
        card.Append(
            "To be filled in by whoever publishes this model. Nothing here was chosen for you: what the text, the teacher and the "
                + "model that it started from allow is not recorded.\n"
        );
        return card.ToString();
    }

    private static void Shape(StringBuilder card, SourceModel model, WeightType type)
    {
        TransformerConfig shape = model.Config;
        card.Append("## Model\n\n| | |\n| --- | --- |\n");
        Row(card, "parameters", Number(ModelFlops.Parameters(shape)));
        Row(
            card,
            "shape",
            $"{shape.NumHiddenLayers} layers, hidden size {shape.HiddenSize}, "
                + $"{shape.NumAttentionHeads} heads, feed-forward {shape.IntermediateSize}"
        );
        Row(card, "positions", Number(shape.MaxPositionEmbeddings));
        Row(card, "vocabulary", $"{Number(model.Tokenizer.VocabularySize)} tokens, {Number(shape.VocabSize)} rows");
        Row(card, "weights here", WeightTypes.NameOf(type));
        Row(card, "chat template", model.ChatTemplate is null ? "none" : "with the tokenizer");
        card.Append('\n');
    }

    private static void History(StringBuilder card, IReadOnlyList<RunAncestor> history)
    {
        card.Append("## Where the weights come from\n\n");
        card.Append("| | what was done | parameters | steps | tokens | FLOPs | seconds |\n");
        card.Append("| --- | --- | --- | --- | --- | --- | --- |\n");
        foreach (RunAncestor each in history)
        {
            string done =
                each.Operation == RunAncestor.Foreign ? "made elsewhere; nothing is recorded" : each.Operation;
            string role = each.AsTeacher ? " (of the small model that taught)" : "";
            string[] cells =
            [
                each.Name + role,
                done,
                each.Parameters > 0 ? Number(each.Parameters) : "not recorded",
                each.Steps is int steps ? Number(steps) : "–",
                each.Tokens is long tokens ? Number(tokens) : "not recorded",
                each.Flops is double flops ? Scientific(flops) : "not recorded",
                each.Seconds is double seconds ? Number(seconds) : "not recorded",
            ];
            card.Append("| ").AppendJoin(" | ", cells.Select(Escape)).Append(" |\n");
        }

        AncestorCost cost = AncestorCost.Of(history);
        string sum = cost.Flops is double all
            ? $"Together {Scientific(all)} FLOPs, those of small models that taught among them."
            : "What all of it cost is not known, because the cost of one part is not recorded.";
        card.Append(null, $"\n{sum}\n\n");
    }

    private static void Training(StringBuilder card, string run, TrainState? state, SourceModel model)
    {
        if (state is null)
        {
            card.Append(
                "## Training\n\nThe model that was exported is no checkpoint of a run, so nothing else is recorded.\n\n"
            );
            return;
        }

        card.Append("## Training\n\n| | |\n| --- | --- |\n");
        Row(card, "checkpoint", $"after step {Number(state.Step)}");
        Row(card, "tokens that counted", Number(state.Tokens));
        Row(card, "seconds in steps", Number(state.Seconds));
        if (state.DataFingerprint.Length > 0)
        {
            Row(card, "data", state.DataFingerprint);
        }

        if (RunLayout.ReadDocument(Path.Combine(run, RunLayout.Recipe)) is string recipe)
        {
            IReadOnlyDictionary<string, string> keys = Saltern.RunFiles.RecipeKeys.Flatten(recipe);
            if (keys.TryGetValue("data.path", out string? path))
            {
                Row(card, "data, by its name", Path.GetFileName(path.TrimEnd('/', '\\')));
            }

            foreach ((string key, string words) in RecipeKeys)
            {
                if (keys.TryGetValue(key, out string? value))
                {
                    Row(card, words, value);
                }
            }
        }

        Row(card, "tokenizer", model.Tokenizer.Fingerprint);
        card.Append('\n');
    }

    private static void Scores(StringBuilder card, RunResult? result)
    {
        card.Append("## Measured\n\n");
        if (result?.Final is not FinalScores final)
        {
            card.Append("Nothing is recorded for these weights.\n\n");
            return;
        }

        card.Append(
            "On the run's own validation text:\n\n| | loss, nats per token | bits per byte | accuracy | tokens |\n"
        );
        card.Append("| --- | --- | --- | --- | --- |\n");
        Line("all", final);
        if (final.Domains.Count > 1)
        {
            foreach ((string domain, DomainScores scores) in final.Domains)
            {
                Line(domain, scores);
            }
        }

        void Line(string what, DomainScores scores) =>
            card.Append(
                    CultureInfo.InvariantCulture,
                    $"| {Escape(what)} | {scores.Loss:0.0000} | {scores.BitsPerByte:0.0000} | {scores.Accuracy:0.0000} | "
                )
                .Append(null, $"{Number(scores.Tokens)} |\n");

        card.Append('\n');
        foreach (TaskScore task in result.Tasks)
        {
            card.Append(
                CultureInfo.InvariantCulture,
                $"- {Escape(task.Task)}, {Escape(task.Metric)}: {task.Value:0.0000} over {task.Items} items\n"
            );
        }

        foreach ((string task, TaskChange change) in result.FineTuning?.Tasks ?? new Dictionary<string, TaskChange>())
        {
            MetricChange score = change.Metrics[change.MainMetric];
            card.Append(
                CultureInfo.InvariantCulture,
                $"- {Escape(task)}, {Escape(change.MainMetric)}: {score.After:0.0000} over {change.Items} items "
            );
            card.Append(CultureInfo.InvariantCulture, $"({score.Before:0.0000} before fine-tuning)\n");
        }

        if (result.Tasks.Count > 0 || result.FineTuning is { Tasks.Count: > 0 })
        {
            card.Append('\n');
        }

        card.Append(null, $"Seed {result.Seed}; one seed is a reading, not a finding.\n\n");
    }

    // A result speaks of the last step, or, of fine-tuning, of the best checkpoint: of no other.
    private static RunResult? ResultOf(string run, string source, TrainState? state)
    {
        string path = Path.Combine(run, RunLayout.Result);
        if (state is null || !File.Exists(path))
        {
            return null;
        }

        RunResult result = RunResult.Read(path);
        int measured = result.FineTuning is null ? result.Steps : result.BestStep ?? -1;
        bool isAverage = Path.GetFileName(Path.TrimEndingDirectorySeparator(source)) == Checkpoint.AverageFolder;
        return measured == state.Step && !isAverage ? result : null;
    }

    private static void Row(StringBuilder card, string name, string value) =>
        card.Append(null, $"| {Escape(name)} | {Escape(value)} |\n");

    private static string Escape(string text) =>
        text.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private static string Number(double value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Scientific(double value) => value.ToString("0.00e0", CultureInfo.InvariantCulture);
}
