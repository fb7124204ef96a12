using Saltern.FineTuning;
using Saltern.Tokenization;

namespace Saltern.Tests.FineTuning;

// Bytes are tokens here, so that every label can be written down: id of a byte by its letter, "$" for end-of-text.
public class ExampleTests
{
    private static readonly BpeTokenizer Bytes = BpeTrainer.Train(
        ["abc"],
        new BpeTrainerOptions { VocabularySize = 259, SpecialTokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] }
    );

    [Fact]
    public void Response_AndItsEnd_AreTargets_ThePromptIsNot()
    {
        Example example = Example.Encode(
            "1",
            [new TextPiece("q:"), new TextPiece(" ab", Counts: true), TextPiece.End],
            Bytes
        );
        Assert.Equal("q:[ ab$]", Show(example));
        Assert.Equal((5, 4), (example.Positions, example.TargetCount));
        Assert.Equal("q:", Bytes.Decode(example.Prompt));
    }

    [Fact]
    public void SpecialTokensInARecord_AreText_InATemplateTheyAreTokens()
    {
        Example example = Example.Encode(
            "1",
            [
                TextPiece.Markup("<|im_start|>u\n"),
                new TextPiece("<|im_end|>"),
                TextPiece.Markup("<|im_end|>\n"),
                new TextPiece("<|endoftext|>", Counts: true),
                TextPiece.End,
            ],
            Bytes
        );
        int start = Bytes.SpecialTokenId("<|im_start|>")!.Value;
        int end = Bytes.SpecialTokenId("<|im_end|>")!.Value;
        int[] expected =
        [
            start,
            .. Bytes.Encode("u\n<|im_end|>"),
            end,
            .. Bytes.Encode("\n"),
            .. Bytes.Encode("<|endoftext|>"),
            Bytes.EndOfTextId,
        ];
        Assert.Equal(expected, example.Tokens);
        Assert.Equal("<|endoftext|>".Length + 1, example.TargetCount);
    }

    [Fact]
    public void Prompt_IsEncodedAsItIsWhereTheModelAnswers()
    {
        // A tokenizer with merges: pieces of a prompt are one text to it.
        Example example = Example.Encode(
            "1",
            [
                new TextPiece("The old "),
                new TextPiece("teacher:"),
                new TextPiece(" paints", Counts: true),
                TextPiece.End,
            ],
            TinyExamples.Tokenizer
        );
        Assert.Equal(TinyExamples.Tokenizer.Encode("The old teacher:"), example.Prompt);
        Assert.Equal(
            [.. TinyExamples.Tokenizer.Encode(" paints"), TinyExamples.Tokenizer.EndOfTextId],
            example.Tokens[example.Prompt.Length..]
        );
    }

    [Fact]
    public void Turns_EveryReplyAndItsEndCount()
    {
        ChatTemplate template = ChatTemplate.Create(new ChatTemplateConfig { Name = "turns" }, Bytes);
        IReadOnlyList<TextPiece> pieces = template.Render([
            new("system", "be"),
            new("user", "a"),
            new("assistant", "b"),
            new("user", "c"),
            new("assistant", "d"),
        ]);
        Assert.Equal(
            "be\n\nUser:\na\n\nAssistant:\n[b$]\nUser:\nc\n\nAssistant:\n[d$]",
            Show(Example.Encode("1", pieces, Bytes))
        );
    }

    [Fact]
    public void ChatMl_HasItsMarksAsTokens_AndEndOfTextAfterTheLastReplyAlone()
    {
        ChatTemplate template = ChatTemplate.Create(new ChatTemplateConfig { Name = "chatml" }, Bytes);
        Example example = Example.Encode(
            "1",
            template.Render([new("user", "a"), new("assistant", "b"), new("user", "c"), new("assistant", "d")]),
            Bytes
        );
        Assert.Equal("<user\na>\n<assistant\n[b>]\n<user\nc>\n<assistant\n[d>$]", Show(example));
    }

    [Fact]
    public void OwnTemplate_IsUsedAsItStands()
    {
        var config = new ChatTemplateConfig
        {
            User = "Q {content} ",
            Assistant = "A",
            EndOfTurn = ";",
        };
        Assert.Empty(config.Validate());
        Assert.Equal(
            "Q a A[b;]Q c A[d;$]",
            Show(
                Example.Encode(
                    "1",
                    ChatTemplate
                        .Create(config, Bytes)
                        .Render([new("user", "a"), new("assistant", "b"), new("user", "c"), new("assistant", "d")]),
                    Bytes
                )
            )
        );
    }

    [Fact]
    public void TemplateWithTokensThatTheTokenizerLacks_IsRefused()
    {
        string message = Assert
            .Throws<ConfigurationException>(() =>
                ChatTemplate.Create(new ChatTemplateConfig { Name = "chatml" }, TinyExamples.Tokenizer)
            )
            .Message;
        Assert.Contains("spells out <|im_start|>, <|im_end|>", message, StringComparison.Ordinal);
        Assert.Contains("name: turns", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ends with a message of the user", "user:a")]
    [InlineData("has no messages")]
    [InlineData("message 2 (role assistant) is empty", "user:a", "assistant: ")]
    [InlineData("message 2 is a system message", "user:a", "system:b", "assistant:c")]
    public void BrokenConversations_AreRefused(string expected, params string[] messages)
    {
        ChatTemplate template = ChatTemplate.Create(new ChatTemplateConfig { Name = "turns" }, Bytes);
        ChatMessage[] conversation =
        [
            .. messages.Select(text => new ChatMessage(text.Split(':')[0], text.Split(':')[1])),
        ];
        Assert.Contains(
            expected,
            Assert.Throws<DataFormatException>(() => template.Render(conversation)).Message,
            StringComparison.Ordinal
        );
    }

    // Brackets around what counts, "<" and ">" for the chat marks.
    private static string Show(Example example)
    {
        var text = new System.Text.StringBuilder();
        for (int i = 0; i < example.Tokens.Length; i++)
        {
            bool countedBefore = i > 0 && example.Counts[i - 1];
            if (example.Counts[i] != countedBefore)
            {
                text.Append(countedBefore ? ']' : '[');
            }

            string token = Bytes.Decode([example.Tokens[i]]);
            text.Append(
                token switch
                {
                    "<|endoftext|>" => "$",
                    "<|im_start|>" => "<",
                    "<|im_end|>" => ">",
                    _ => token,
                }
            );
        }

        return text.Append(example.Counts[^1] ? "]" : "").ToString();
    }
}
