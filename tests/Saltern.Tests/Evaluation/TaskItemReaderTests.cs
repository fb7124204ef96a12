using System.Text.Json;
using Saltern.Configuration;
using Saltern.Evaluation;

namespace Saltern.Tests.Evaluation;

// The shipped task files, on one made-up record in the field names of each public release.
public class TaskItemReaderTests
{
    private static readonly string TaskFolder = Path.Combine(RepositoryFolder.Path, "tasks");

    public static TheoryData<string, string, string, string> Releases =>
        new()
        {
            {
                "arc_easy",
                """{"id":"q","question":{"stem":"Why?","choices":[{"text":"so","label":"A"},{"text":"no","label":"B"}]},"answerKey":"B"}""",
                "Question: Why?\nAnswer:",
                "so/no/1"
            },
            {
                "arc_challenge",
                """{"id":"q","question":"Why?","choices":{"text":["so","no"],"label":["1","2"]},"answerKey":"2"}""",
                "Question: Why?\nAnswer:",
                "so/no/1"
            },
            {
                "openbookqa",
                """{"id":"q","question_stem":"Rain is","choices":{"text":["dry","wet"],"label":["A","B"]},"answerKey":"B"}""",
                "Rain is",
                "dry/wet/1"
            },
            {
                "piqa",
                """{"goal":"open","sol1":"push","sol2":"eat","label":0}""",
                "Question: open\nAnswer:",
                "push/eat/0"
            },
            {
                "piqa",
                """{"query":"Question: open\n","choices":["push","eat"],"gold":0}""",
                "Question: open\nAnswer:",
                "push/eat/0"
            },
            {
                "hellaswag",
                """{"activity_label":"Baking","ctx_a":"A cook stands [title] here.","ctx_b":"the cook","endings":["bakes [step] """
                    + """bread.","flies."],"label":"0"}""",
                "Baking: A cook stands. here. The cook",
                "bakes bread./flies./0"
            },
            {
                "winogrande",
                """{"sentence":"The cup missed the box as _ was small.","option1":"cup","option2":"box","answer":"2"}""",
                "",
                "The cup missed the box as cup/The cup missed the box as box/1 was small."
            },
            {
                "boolq",
                """{"question":"is it","passage":"It is.","answer":true}""",
                "It is.\nQuestion: is it?\nAnswer:",
                "no/yes/1"
            },
            {
                "copa",
                """{"premise":"The lamp fell.","choice1":"It broke.","choice2":"It flew.","question":"effect","label":0}""",
                "The lamp fell therefore",
                " it broke./ it flew./0"
            },
            { "lambada", """{"text":"He saw the red fox"}""", "He saw the red", "/0fox" },
            { "blimp", """{"sentence_good":"He runs.","sentence_bad":"He run."}""", "", "He runs./He run./0" },
            { "gsm8k", """{"question":"1 + 1?","answer":"It is 2.\n#### 2"}""", "Question: 1 + 1?\nAnswer:", "/0:2" },
            {
                "svamp",
                """{"ID":"1","Body":"She has 2.","Question":"How many?","Answer":2.0}""",
                "Question: She has 2. How many?\nAnswer:",
                "/0:2.0"
            },
            {
                "triviaqa",
                """{"question":"Who","answer":{"value":"Ann","aliases":["Ann","Anna"]}}""",
                "Question: Who?\nAnswer:",
                "/0:Ann:Anna"
            },
            {
                "squadv2",
                """{"context":"C.","question":"Q?","answers":{"text":["one","two"],"answer_start":[0,1]}}""",
                "Background: C.\n\nQuestion: Q?\n\nAnswer:",
                "/0:one:two"
            },
            {
                "squadv2",
                """{"context":"C.","question":"Q?","answers":{"text":[],"answer_start":[]}}""",
                "Background: C.\n\nQuestion: Q?\n\nAnswer:",
                "/0:unanswerable"
            },
            {
                "race",
                """{"article":"T.","question":"Q?","options":["w","x","y","z"],"answer":"C"}""",
                "Article: T.\n\nQuestion: Q?\nAnswer:",
                "w/x/y/z/2"
            },
            {
                "race",
                """{"article":"T.","problems":"[{'question': 'One?', 'answer': 'B', 'options': ['a', \"b's\", 'c', 'd']}, """
                    + """{'question': 'Two  _  .', 'answer': 'A', 'options': ['e', 'f', 'g', 'h']}, """
                    + """{'question': 'It\\'s \\u00e9?', 'answer': 'C', 'options': ['w', 'x', 'y', 'z']}]"}""",
                "Article: T.\n\nQuestion: One?\nAnswer: b's\n _  .e\nIt's \u00e9?",
                "w/x/y/z/2"
            },
            {
                "anli",
                """{"premise":"P.","hypothesis":"H.","label":1}""",
                "P.\nQuestion: H. True, False, or Neither?\nAnswer:",
                "True/Neither/False/1"
            },
            {
                "anli",
                """{"context":"P.","hypothesis":"H.","label":"c"}""",
                "P.\nQuestion: H. True, False, or Neither?\nAnswer:",
                "True/Neither/False/2"
            },
            { "xsum", """{"document":"D.","summary":"S."}""", "Article: D.\nSummary:", "/0:S." },
            {
                "mbpp",
                """{"text":"Add.","code":"def f(): pass","test_list":["assert f()","x","y"]}""",
                "You are an expert Python programmer, and here is your task: Add. "
                    + "Your code should pass these tests:\n\nassert f()\nx\ny\n[BEGIN]\n",
                "/0:def f(): pass"
            },
            {
                "fairytaleqa",
                """{"story_section":"T.","question":"Q?","answer1":"a","answer2":"b"}""",
                "T.\nQuestion: Q?\nAnswer:",
                "/0:a:b"
            },
            { "wikitext2", """{"text":"= T ="}""", "= T =", "/0" },
            {
                "wikitext2",
                """{"page":" = T = \n \n It 's 1 @,@ 000 ( about ) , or \" so \" . \n"}""",
                " = T =\n\nIt's 1,000 (about), or \"so\".\n",
                "/0"
            },
            {
                "hellaswag",
                """{"activity_label":"Health","ctx_a":"[header] How to wait [title] Stay. [step] Sit.","ctx_b":"","""
                    + """ "endings":["One.","Two. [substeps] 3."],"label":"1"}""",
                "Health: How to wait. Stay. Sit.",
                "One./Two. 3./1"
            },
            {
                "boolq",
                """{"passage":"It is.","question":"is it","idx":0,"label":false}""",
                "It is.\nQuestion: is it?\nAnswer:",
                "no/yes/0"
            },
            {
                "boolq",
                """{"passage":"It is.","question":"is it","idx":0,"label":1}""",
                "It is.\nQuestion: is it?\nAnswer:",
                "no/yes/1"
            },
            {
                "openbookqa",
                """{"id":"q","question_stem":"Rain is","choices":{"text":["dry","wet"],"label":["A","B"]},"answerKey":" B"}""",
                "Rain is",
                "dry/wet/1"
            },
            {
                "squadv2",
                """{"title":"T","context":"C.","question":"Q?","answers":{"text":["one"],"answer_start":[0]}}""",
                "Title: T\n\nBackground: C.\n\nQuestion: Q?\n\nAnswer:",
                "/0:one"
            },
        };

    [Theory]
    [MemberData(nameof(Releases))]
    public void ShippedTasks_ReadTheFieldsOfThePublicReleases(string task, string record, string prompt, string rest)
    {
        using var folder = new TemporaryFolder();
        TaskItem item = Assert.Single(TaskItemReader.Read(Load(task), folder.Write(task + ".jsonl", record + "\n")));
        Assert.Equal(prompt, item.Prompt);
        string options = string.Join('/', item.Contexts.Count > 0 ? item.Contexts : item.Choices);
        string blank = item.Contexts.Count > 0 ? " " : "";
        string answers = string.Concat(item.Answers.Select(answer => ":" + answer));
        Assert.Equal(rest, $"{options}/{item.Gold}{blank}{item.Answer}{answers}");
    }

    [Fact]
    public void WikiTextLineByLine_IsJoinedToArticles()
    {
        // As Hugging Face has it: a line a record, blank ones empty. Joined as EleutherAI's wikitext_document_level, which the harness reads, cuts the file.
        string[] lines =
        [
            "",
            " = One = \n",
            "",
            " The first . \n",
            " = = Part = = \n",
            "",
            " = Two = \n",
            " The second . \n",
        ];
        using var folder = new TemporaryFolder();
        string path = folder.Write(
            "wikitext2_valid.jsonl",
            string.Concat(lines.Select(line => JsonSerializer.Serialize(new { text = line }) + "\n"))
        );

        IReadOnlyList<TaskItem> items = TaskItemReader.Read(Load("wikitext2"), path);

        Assert.Equal(
            [" = One = \n \n The first . \n = = Part = = \n ", " = Two = \n The second . \n"],
            items.Select(item => item.Counted)
        );
        Assert.Equal(" = One =\n\nThe first.\n== Part ==\n", items[0].Prompt);
        Assert.Single(TaskItemReader.Read(Load("wikitext2"), path, limit: 1));
    }

    [Fact]
    public void EveryShippedFile_IsRead_AndTheSuiteNamesShippedTasks()
    {
        foreach (
            string path in Directory
                .GetFiles(TaskFolder, "*.yaml")
                .Where(path => Path.GetFileName(path) != "salt_suite.yaml")
        )
        {
            Assert.Equal(Path.GetFileNameWithoutExtension(path), RecipeReader.Read<TaskDefinition>(path, []).Task);
            Assert.DoesNotContain("shared", File.ReadAllText(path), StringComparison.Ordinal);
        }

        TaskGroup suite = RecipeReader.Read<TaskGroup>(Path.Combine(TaskFolder, "salt_suite.yaml"), []);
        Assert.Equal(7, suite.Domains.Count);
        Assert.All(
            suite.Domains.SelectMany(domain => domain.Tasks),
            task => Assert.True(File.Exists(Path.Combine(TaskFolder, task + ".yaml")), task)
        );
    }

    [Fact]
    public void ASuiteWithLittleData_LeavesTasksOutByName()
    {
        using var folder = new TemporaryFolder();
        folder.Write("lambada.jsonl", """{"text":"a b"}""" + "\n");
        TaskPlan plan = TaskPlan.Read([Path.Combine(TaskFolder, "salt_suite.yaml")], folder.Path, shots: 2);
        Assert.Equal(("lambada", 2), (Assert.Single(plan.Tasks).Definition.Task, plan.Tasks[0].Definition.Shots));
        Assert.Contains("xsum", plan.Missing);
        Assert.Contains(
            "--data-dir",
            Assert
                .Throws<ConfigurationException>(() =>
                    TaskPlan.Read([Path.Combine(TaskFolder, "xsum.yaml")], folder.Path, null)
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void CompressedFiles_AndTheLimit()
    {
        using var folder = new TemporaryFolder();
        folder.Write(
            "lambada.jsonl.gz",
            TemporaryFolder.Gzip(
                string.Concat(Enumerable.Range(0, 5).Select(i => $$"""{"text":"word w{{i}}"}""" + "\n"))
            )
        );
        string path = TaskItemReader.Find("lambada", folder.Path, "nowhere")!;
        Assert.Equal(
            ["w0", "w1", "w2", "w3", "w4"],
            TaskItemReader.Read(Load("lambada"), path).Select(item => item.Answer)
        );
        Assert.Equal(["w0", "w1"], TaskItemReader.Read(Load("lambada"), path, limit: 2).Select(item => item.Answer));
    }

    [Theory]
    [InlineData("""{"goal":"open","sol1":"push"}""", "goal, sol1")]
    [InlineData("""{"goal":"open","sol1":"push","sol2":"eat","label":2}""", "'2'")]
    [InlineData("""{"goal":"open","sol1":"push","sol2":"","label":0}""", "empty")]
    [InlineData("""{"goal":{"x":1},"sol1":"push","sol2":"eat","label":0}""", "object")]
    [InlineData("7", "no object")]
    [InlineData("{", "not JSON")]
    [InlineData("", "no item")]
    public void BrokenRecords_AreNamed(string record, string message)
    {
        using var folder = new TemporaryFolder();
        string path = folder.Write("piqa.jsonl", "\n" + record + "\n");
        string found = Assert.Throws<DataFormatException>(() => TaskItemReader.Read(Load("piqa"), path)).Message;
        Assert.Contains(message, found, StringComparison.Ordinal);
        Assert.Contains(record.Length == 0 ? path : "line 2", found, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEncoding_IsThatOfTheTaskOrOfWhoAsks()
    {
        using var folder = new TemporaryFolder();
        folder.Write("lambada.jsonl", System.Text.Encoding.Latin1.GetBytes("""{"text":"a small café"}""" + "\n"));
        string task = Path.Combine(TaskFolder, "lambada.yaml");
        TaskFile file = Assert.Single(TaskPlan.Read([task], folder.Path, null, "iso-8859-1").Tasks);
        Assert.Equal("café", Assert.Single(TaskItemReader.Read(file.Definition, file.DataPath!)).Answer);
        Assert.Throws<DataFormatException>(() => TaskItemReader.Read(Load("lambada"), file.DataPath!));
    }

    [Theory]
    [InlineData("[{'question': 'Q', 'answer': 'E', 'options': ['a', 'b', 'c', 'd']}]", "an answer of A, B, C or D")]
    [InlineData("[{'question': 'Q", "a text has no end")]
    [InlineData("[]", "needs a list of question")]
    public void ProblemsOfRaceThatCannotBeRead_AreNamed(string problems, string message)
    {
        using var folder = new TemporaryFolder();
        string record = System.Text.Json.JsonSerializer.Serialize(new { article = "T.", problems });
        Assert.Contains(
            message,
            Assert
                .Throws<DataFormatException>(() =>
                    TaskItemReader.Read(Load("race"), folder.Write("race.jsonl", record + "\n"))
                )
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void ACutArchive_IsAnError()
    {
        using var folder = new TemporaryFolder();
        byte[] whole = TemporaryFolder.Gzip(
            string.Concat(Enumerable.Range(0, 500).Select(i => $$"""{"text":"word w{{i * 7919}}"}""" + "\n"))
        );
        folder.Write("lambada.jsonl.gz", whole[..(whole.Length / 2)]);
        Assert.Throws<DataFormatException>(() => TaskItemReader.Read(Load("lambada"), folder["lambada.jsonl.gz"]));
    }

    [Theory]
    [InlineData("kind: choice\nreadings: [{ prompt: \"{q}\" }]", "gold")]
    [InlineData("kind: lastword\nreadings: [{ prompt: \"{q\", answer: a }]", "single '{'")]
    [InlineData("kind: lastword\nreadings: [{ prompt: \"{q|shout}\", answer: a }]", "shout")]
    [InlineData("kind: pair\nshots: 1\nreadings: [{ choices: [\"{a}\", \"{b}\"] }]", "shots")]
    [InlineData("kind: generate\nmetrics: [acc]\nreadings: [{ prompt: q, answers: [a] }]", "exact_match")]
    [InlineData("kind: guess\nreadings: []", "guess")]
    [InlineData("kind: choice", "readings")]
    [InlineData("kind: choice\nitems: 3\nreadings: [{ prompt: \"{q}\", choices: [a, b], gold: g }]", "kind induction")]
    [InlineData("kind: induction\nreadings: [{ prompt: \"{q}\" }]", "are drawn")]
    [InlineData("kind: induction\nmetrics: [acc]", "token_acc")]
    [InlineData("kind: lastword\nencoding: klingon\nreadings: [{ prompt: q, answer: a }]", "klingon is not known")]
    public void WrongTaskFiles_SayWhatIsWrong(string yaml, string message) =>
        Assert.Contains(
            message,
            Assert
                .Throws<ConfigurationException>(() =>
                    RecipeReader.Parse<TaskDefinition>("task: t\n" + yaml, "t.yaml", [])
                )
                .Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void SharedItems_AreReadByTheShippedTasks()
    {
        Assert.SkipWhen(SharedData.Folder is null, "there is no shared/data beside the repository");
        string folder = Path.Combine(SharedData.Folder!, "eval");
        foreach (
            string path in Directory
                .GetFiles(TaskFolder, "*.yaml")
                .Where(path => Path.GetFileName(path) != "salt_suite.yaml")
        )
        {
            TaskDefinition definition = RecipeReader.Read<TaskDefinition>(path, []);
            if (TaskItemReader.Find(definition.Data ?? definition.Task, folder, TaskFolder) is string data)
            {
                Assert.NotEmpty(TaskItemReader.Read(definition, data));
            }
        }
    }

    private static TaskDefinition Load(string task) =>
        RecipeReader.Read<TaskDefinition>(Path.Combine(TaskFolder, task + ".yaml"), []);
}
