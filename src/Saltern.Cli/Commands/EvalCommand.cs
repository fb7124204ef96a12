using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Saltern.Checkpoints;
using Saltern.Cli.Terminal;
using Saltern.Configuration;
using Saltern.Data;
using Saltern.Evaluation;
using Saltern.Losses;
using Saltern.Models;
using Saltern.Reporting;
using Saltern.Tokenization;
using Saltern.Training;

namespace Saltern.Cli.Commands;

/// <summary><c>saltern eval MODEL</c>: loss, perplexity, bits per byte and accuracy, by domain.</summary>
public static class EvalCommand
{
    private static readonly JsonSerializerOptions JsonFormat = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <summary>The verb.</summary>
    public static Command Create()
    {
        var model = new Argument<string>("MODEL") { Description = "Run folder, checkpoint folder or Hugging Face folder." };
        var data = new Option<string?>("--data") { Description = "Data set folder; that of the run by default." };
        var split = new Option<string>("--split") { Description = "Which text.", DefaultValueFactory = _ => "valid" };
        split.AcceptOnlyFromAmong("valid", "train", "all");
        var tokens = new Option<int>("--tokens") { Description = "About how many tokens; all there is where there is less.", DefaultValueFactory = _ => 262_144 };
        var teacher = new Option<string?>("--teacher") { Description = "A second model to show on the same tokens." };
        var output = new Option<string?>("--out") { Description = "Folder for the result as JSON." };
        Option<bool> json = CommonOptions.Json();
        var command = new Command("eval", "Measure a model on a data set.") { model, data, split, tokens, teacher, output, json };
        command.SetAction(parsed => CommandRunner.Run(parsed.GetValue(json), (console, cancellation) =>
        {
            EngineSetup.Prepare();
            string path = parsed.GetRequiredValue(model), folder = ModelLocation.Resolve(path);
            string dataFolder = parsed.GetValue(data) ?? DataOfRun(path) ?? throw new ConfigurationException($"{path} is not a run folder, so its data set is not known. Give --data.");
            using TokenDataset dataset = TokenDataset.Open(dataFolder, cancellation: cancellation);
            ModelScores scores = Evaluate(path, folder, dataset, parsed.GetValue(split)!, parsed.GetValue(tokens));
            ModelScores? teacherScores = parsed.GetValue(teacher) is string second ? Evaluate(second, ModelLocation.Resolve(second), dataset, parsed.GetValue(split)!, parsed.GetValue(tokens)) : null;
            string result = JsonSerializer.Serialize(new { Schema = "saltern.eval/1", Data = dataset.Fingerprint, Split = parsed.GetValue(split), Student = scores, Teacher = teacherScores }, JsonFormat);
            if (parsed.GetValue(output) is string target)
            {
                Directory.CreateDirectory(target);
                DurableFolder.WriteText(Path.Combine(target, "eval.json"), result);
            }

            if (console.IsJson)
            {
                Output.Json(result);
            }
            else
            {
                Print(console, scores);
                if (teacherScores is not null)
                {
                    Print(console, teacherScores);
                }
            }

            return ExitCode.Done;
        }));
        return command;
    }

    private static ModelScores Evaluate(string name, string folder, TokenDataset dataset, string split, int tokens)
    {
        using Transformer model = ModelFolder.Load(folder, trainable: false);
        BpeTokenizer tokenizer = BpeTokenizer.Load(Path.Combine(folder, ModelFolder.TokenizerFile));
        if (tokenizer.Fingerprint != dataset.Manifest.TokenizerFingerprint)
        {
            throw new ConfigurationException($"{name} has the tokenizer {tokenizer.Fingerprint}, the data set {dataset.Folder} was made with {dataset.Manifest.TokenizerFingerprint}. Prepare the text again with the model's tokenizer.");
        }

        string[] domains = [.. dataset.Domains.Select(domain => domain.Name)];
        int[] bytes = [.. Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.ByteLength)];
        using var head = new LossHead(tokenizer.VocabularySize, model.Config.VocabSize, Environment.ProcessorCount);
        var parts = new List<(string Name, FinalScores Scores)>();
        foreach (string part in split == "all" ? ["valid", "train"] : new[] { split })
        {
            IReadOnlyList<TokenShard?> shards = [.. dataset.Domains.Select(domain => part == "valid" ? domain.Valid : domain.Train)];
            ValidationSet set = ValidationSet.Create(shards, model.Config.MaxPositionEmbeddings, tokens, wholeDocuments: true, tokenizer.EndOfTextId);
            parts.Add((part, RunScores.Of(ModelEvaluation.Run(model, head, set, bytes, domains.Length), domains)));
        }

        return new ModelScores(name, parts.ToDictionary(part => part.Name, part => part.Scores));
    }

    private static string? DataOfRun(string path)
    {
        string recipe = Path.Combine(path, RunFolder.RecipeFile);
        return File.Exists(recipe) ? RecipeReader.Read<RunConfig>(recipe, []).Data.Path : null;
    }

    private static void Print(Output console, ModelScores scores)
    {
        foreach ((string split, FinalScores all) in scores.Splits)
        {
            console.Line($"{scores.Model}, {split}:");
            console.Line("  domain             tokens      loss  perplexity  bits/byte  accuracy");
            foreach ((string name, DomainScores part) in all.Domains.Append(new("all", all)))
            {
                console.Line(string.Create(CultureInfo.InvariantCulture, $"  {name,-16} {part.Tokens,8}  {part.Loss,8:0.0000}  {Math.Exp(part.Loss),10:0.00}  {part.BitsPerByte,9:0.0000}  {part.Accuracy,8:0.0000}"));
            }
        }
    }

    private sealed record ModelScores(string Model, IReadOnlyDictionary<string, FinalScores> Splits);
}
