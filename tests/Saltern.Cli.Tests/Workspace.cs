using System.Text;

namespace Saltern.Cli.Tests;

/// <summary>A folder with recipes, and beside it a small corpus, a tokenizer, a data set and a teacher, made by the commands themselves.</summary>
public sealed class Workspace : IDisposable
{
    private static readonly string[] Subjects =
    [
        "The cat",
        "A small boat",
        "My neighbour",
        "The old teacher",
        "Every student",
        "The wind",
    ];
    private static readonly string[] Verbs = ["sees", "follows", "paints", "forgets", "repairs", "likes"];
    private static readonly string[] Objects =
    [
        "the harbour",
        "a yellow bird",
        "three letters",
        "the long road",
        "an open window",
        "some bread",
    ];

    // What all tests read and none changes, made once: three processes for each of some twenty classes took a minute of processor time.
    private static readonly string[] Shared = ["text", "tokenizer.json", "data", "teacher"];
    private static readonly Lazy<string> SharedFolder = new(Make);

    public Workspace()
    {
        File.WriteAllText(this["teacher.yaml"], Recipe("teacher", 16, 40, ""));
        File.WriteAllText(this["baseline.yaml"], Recipe("baseline", 24, 60, ""));
        File.WriteAllText(
            this["salt.yaml"],
            Recipe(
                "salt",
                24,
                60,
                $"teacher: {{ path: {this["teacher"]} }}\ndistillation: {{ transition: linear_ratio, start: 0.2, end: 0.6 }}\n"
            )
        );
        File.WriteAllText(
            this["auto.yaml"],
            Recipe(
                "auto",
                24,
                60,
                $"teacher: {{ path: {this["teacher"]} }}\ndistillation: {{ transition: auto, maximum: 0.6, smoothing: 0.05 }}\n"
            )
        );
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("saltern-cli-").FullName;

    public string this[string name] =>
        Path.Combine(Shared.Contains(name.Split('/')[0]) ? SharedFolder.Value : Folder, name);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Writes a recipe of fine-tuning with its examples and task, and returns its path.</summary>
    public string FineTuneRecipe(string name, int steps = 300)
    {
        string[] colours = ["red", "blue", "green"];
        string Line(int i) => $$"""{"id": "{{i}}", "prompt": "box {{i}}:", "response": " {{colours[i % 3]}}"}""";
        File.WriteAllLines(
            this["boxes.jsonl"],
            [
                .. Enumerable.Range(0, 90).Select(Line),
                $$"""{"id": "far", "prompt": "box:", "response": "{{new string('z', 200)}}"}""",
            ]
        );
        File.WriteAllLines(
            this["colour.jsonl"],
            Enumerable.Range(0, 6).Select(i => $$"""{"id": "{{i}}", "q": "box {{i}}:", "a": "{{colours[i % 3]}}"}""")
        );
        File.WriteAllText(
            this["colour.yaml"],
            "task: colour\nkind: generate\nmax_tokens: 8\nreadings: [{ prompt: \"{q}\", answers: [a] }]\n"
        );
        File.WriteAllText(
            this[name + "-ft.yaml"],
            $$"""
            name: {{name}}
            threads: 1
            products: blas
            init_from: {{this["teacher"]}}
            data: { path: {{this["boxes.jsonl"]}}, sequence_length: 32, valid_percent: 20 }
            evaluation: { tasks: [{{this["colour.yaml"]}}], data_dir: {{Folder}} }
            optimizer: { learning_rate: 3.0e-3 }
            training: { steps: {{steps}}, batch_sequences: 4, evaluate_every: 20, checkpoint_every: 20 }
            """
        );
        return this[name + "-ft.yaml"];
    }

    private static string Make()
    {
        string folder = Directory.CreateTempSubdirectory("saltern-cli-shared-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        string text = Path.Combine(folder, "text");
        string tokenizer = Path.Combine(folder, "tokenizer.json");
        string data = Path.Combine(folder, "data");
        string recipe = Path.Combine(folder, "teacher.yaml");
        Directory.CreateDirectory(text);
        foreach (string domain in new[] { "north", "south" })
        {
            File.WriteAllText(Path.Combine(text, domain + ".jsonl"), Corpus(domain));
        }

        File.WriteAllText(recipe, Recipe(data, "teacher", 16, 40, ""));
        Require(SalternProcess.Run("tokenizer", "train", "--input", text, "--vocab", "320", "--out", tokenizer));
        Require(
            SalternProcess.Run(
                "prepare",
                "--input",
                text,
                "--tokenizer",
                tokenizer,
                "--out",
                data,
                "--valid-percent",
                "15"
            )
        );
        Require(SalternProcess.Run("train", recipe, "--out", Path.Combine(folder, "teacher")));
        return folder;
    }

    private string Recipe(string name, int hidden, int steps, string more) =>
        Recipe(this["data"], name, hidden, steps, more);

    private static string Recipe(string data, string name, int hidden, int steps, string more) =>
        $$"""
            name: {{name}}
            seed: 3
            threads: 1
            # The faster of two libraries, measured anew by each run, need not be the same one on a busy machine.
            products: blas
            data: { path: {{data}}, sequence_length: 32 }
            model: {{Model(hidden)}}
            optimizer: { learning_rate: 3.0e-3 }
            schedule: { warmup_steps: 5 }
            training:
              steps: {{steps}}
              batch_sequences: 8
              evaluate_every: 10
              checkpoint_every: 10
              evaluation_tokens: 2000
              final_evaluation_tokens: 4000
            {{more}}
            """;

    private static string Model(int hidden) =>
        $"{{ hidden_size: {hidden}, num_hidden_layers: 2, num_attention_heads: 2, "
        + "intermediate_size: 32, tie_word_embeddings: true }";

    private static string Corpus(string domain)
    {
        var random = new Random(domain.Length + domain[0]);
        var text = new StringBuilder();
        for (int document = 0; document < 300; document++)
        {
            text.Append("{\"text\": \"");
            for (int sentence = 0; sentence < 8; sentence++)
            {
                text.Append(
                    $"{Subjects[random.Next(6)]} {Verbs[random.Next(6)]} {Objects[random.Next(6)]} in the {domain}. "
                );
            }

            text.Append($"{document}\"}}\n");
        }

        return text.ToString();
    }

    private static void Require((int ExitCode, string Output, string Error) result) =>
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
}
