using System.Text.Json;
using Saltern.FineTuning;
using Saltern.Tokenization;

namespace Saltern.Tests.FineTuning;

public sealed class JinjaTemplateTests : IDisposable
{
    private static readonly BpeTokenizer Bytes = BpeTrainer.Train(
        ["abc"],
        new BpeTrainerOptions { VocabularySize = 259, SpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] }
    );

    private static readonly ChatMessage[][] Conversations =
    [
        [new("user", "What is 2 + 3?")],
        [new("system", "Be short."), new("user", "a\n'b' \\ {{ c }} {% d %}"), new("assistant", "x"), new("user", "y")],
        [new("user", "a"), new("assistant", "b"), new("user", "c"), new("assistant", "d")],
        [new("user", "a"), new("assistant", "call"), new("tool", "é 🐦"), new("assistant", "b")],
    ];

    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Templates => ["turns", "chatml", "own"];

    [Fact]
    public void TheTemplateOfTurns_ByHand()
    {
        string jinja = ChatTemplate.Create(Config("turns"), Bytes).ToJinja(Bytes);
        const string Expected = """
            {%- for message in messages -%}
            {%- if message['role'] == 'assistant' -%}
            {{- 'Assistant:\n' + message['content'] + '<|endoftext|>' -}}
            {{- '' if loop.last else '\n' -}}
            {%- elif message['role'] == 'user' -%}
            {{- 'User:\n' + message['content'] + '\n\n' -}}
            {%- elif message['role'] == 'tool' -%}
            {{- 'Tool:\n' + message['content'] + '\n\n' -}}
            {%- elif message['role'] in ['system', 'developer'] and loop.first -%}
            {{- '' + message['content'] + '\n\n' -}}
            {%- else -%}
            {{- raise_exception('The model was not trained on a message of the role ' + message['role'] + ' here.') -}}
            {%- endif -%}
            {%- endfor -%}
            {%- if add_generation_prompt -%}
            {{- 'Assistant:\n' -}}
            {%- endif -%}

            """;
        Assert.StartsWith("{#- saltern: {", jinja, StringComparison.Ordinal);
        Assert.Equal(Expected, jinja[(jinja.IndexOf('\n', StringComparison.Ordinal) + 1)..]);
    }

    [Theory]
    [MemberData(nameof(Templates))]
    public void AJinjaLibrary_RendersWhatIsTrainedOn(string name)
    {
        string packages = NodePackages.Folder();
        ChatTemplate template = ChatTemplate.Create(Config(name), Bytes);
        _folder.Write("template.jinja", template.ToJinja(Bytes));
        foreach (ChatMessage[] conversation in Conversations)
        {
            bool answers = conversation[^1].Role == ChatTemplate.Assistant;
            if (name == "own" && conversation.Any(message => message.Role is "system" or "tool"))
            {
                Assert.Contains(
                    "was not trained on a message",
                    Render(packages, conversation, !answers),
                    StringComparison.Ordinal
                );
                continue;
            }

            IReadOnlyList<TextPiece> pieces = answers
                ? template.Render(conversation)
                : template.RenderPrompt(conversation);
            string expected = string.Concat(pieces.Select(piece => piece.Text ?? "<|endoftext|>"));
            Assert.Equal(expected, Render(packages, conversation, !answers));
        }
    }

    [Theory]
    [MemberData(nameof(Templates))]
    public void ATemplateOfOurs_IsKnownAgain_AnotherIsNot(string name)
    {
        ChatTemplateConfig texts = ChatTemplate.TextsOf(Config(name));
        string jinja = ChatTemplate.Create(texts, Bytes).ToJinja(Bytes);
        Assert.Equal(texts, JinjaTemplate.Texts(jinja));
        Assert.Null(JinjaTemplate.Texts(jinja[1..]));
        Assert.Null(JinjaTemplate.Texts("{% for m in messages %}{{ m.content }}{% endfor %}"));
        Assert.Null(JinjaTemplate.Texts("{#- saltern: {broken -#}"));
        Assert.Null(JinjaTemplate.Texts(null));
    }

    [Fact]
    public void Alpaca_IsTheTextOfItsRecords()
    {
        _folder.Write(
            "a.jsonl",
            """{"instruction": "Add 2 and 3.", "output": "5"}""" + "\n" + """{"instruction": "b", "output": "c"}"""
        );
        var config = new ExampleConfig { Path = _folder["a.jsonl"], Format = ExampleFormat.Alpaca };
        Example read = new ExampleReader(config, Bytes).Read(config.Path, "data.path").Examples[0].Example;
        var template = ChatTemplate.Create(config.ChatTexts!, Bytes);
        Example rendered = Example.Encode(
            "",
            template.Render([new("user", "Add 2 and 3."), new("assistant", "5")]),
            Bytes
        );
        Assert.Equal(read.Tokens, rendered.Tokens);
        Assert.Equal(read.Counts, rendered.Counts);
    }

    [Fact]
    public void EndOfReply_IsATokenOfItsOwn_OrTheEndOfText()
    {
        Assert.Equal(
            Bytes.Definition.AddedTokens.Single(token => token.Content == "<|im_end|>").Id,
            ChatTemplate.Create(Config("chatml"), Bytes).EndOfReplyId(Bytes)
        );
        Assert.Null(ChatTemplate.Create(Config("turns"), Bytes).EndOfReplyId(Bytes));
    }

    public void Dispose() => _folder.Dispose();

    private static ChatTemplateConfig Config(string name)
    {
        if (name != "own")
        {
            return new ChatTemplateConfig { Name = name };
        }

        return new ChatTemplateConfig
        {
            User = "#} it's [{content}]\t\\ ",
            Assistant = "→ ",
            EndOfTurn = "<|im_end|>",
        };
    }

    private string Render(string packages, ChatMessage[] conversation, bool generate)
    {
        string messages = _folder.Write(
            "messages.json",
            JsonSerializer.Serialize(
                conversation.Select(message => new { role = message.Role, content = message.Content })
            )
        );
        string error = NodePackages.Run(
            Path.Combine(AppContext.BaseDirectory, "FineTuning", "jinja_render.mjs"),
            packages,
            _folder["template.jinja"],
            messages,
            generate ? "true" : "false",
            _folder["out.txt"]
        );
        return error.Length > 0 ? error : File.ReadAllText(_folder["out.txt"]);
    }
}
