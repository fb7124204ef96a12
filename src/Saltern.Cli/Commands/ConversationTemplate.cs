using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.ModelFiles;
using Saltern.RunFiles;
using Saltern.Runs;
using Saltern.Tokenization;

namespace Saltern.Cli.Commands;

/// <summary>How a model writes conversations, as far as anything says so.</summary>
/// <param name="Template">The template; null where nothing says it.</param>
/// <param name="Whose">Where it is from, for a message; why there is none, where there is none.</param>
internal sealed record ConversationTemplate(ChatTemplate? Template, string Whose)
{
    private const string Mark = "<|im_start|>";

    /// <summary>What was asked for; else what the model was fine-tuned with; else what an export of Saltern's says beside it; else the marks that its tokenizer has.</summary>
    /// <param name="path">As the user named the model, a run folder perhaps.</param>
    /// <param name="folder">Where the model itself is.</param>
    /// <param name="named">Name of a template; null for the model's own.</param>
    /// <exception cref="ConfigurationException">There is no template of that name, or the tokenizer lacks its marks.</exception>
    public static ConversationTemplate Find(string path, string folder, BpeTokenizer tokenizer, string? named)
    {
        (ChatTemplateConfig? config, string whose) = Config(path, folder, tokenizer, named);
        return new ConversationTemplate(config is null ? null : ChatTemplate.Create(config, tokenizer), whose);
    }

    /// <summary>The id that ends a reply, where the template has a token for it; null where the end-of-text token does.</summary>
    public int? EndOfReply(BpeTokenizer tokenizer) => Template?.EndOfReplyId(tokenizer);

    private static (ChatTemplateConfig? Config, string Whose) Config(
        string path,
        string folder,
        BpeTokenizer tokenizer,
        string? named
    )
    {
        if (named is not null)
        {
            if (!ChatTemplate.Names.Contains(named))
            {
                throw new ConfigurationException(
                    $"--template = {named} is none of {string.Join(", ", ChatTemplate.Names)}."
                );
            }

            return (new ChatTemplateConfig { Name = named }, named);
        }

        string recipe = Path.Combine(path, RunLayout.Recipe);
        if (File.Exists(recipe) && RunConfig.IsOfFineTuning(recipe))
        {
            ExampleConfig data = RecipeReader.Read<FineTuneConfig>(recipe, []).Data;
            return data.ChatTexts is ChatTemplateConfig texts
                ? (texts, "of its fine-tuning")
                : (null, "its fine-tuning had prompts and responses, and no conversations");
        }

        string? jinja = ChatTemplateFile.Read(folder);
        if (JinjaTemplate.Texts(jinja) is ChatTemplateConfig own)
        {
            return (own, $"of its {ChatTemplateFile.Name}");
        }

        if (tokenizer.Definition.AddedTokens.Any(token => token.Content == Mark))
        {
            return (new ChatTemplateConfig { Name = "chatml" }, "chatml, whose marks the tokenizer has");
        }

        return jinja is null
            ? (null, "nothing says how this model writes them")
            : (null, "its own template is Jinja of another program, which is not read");
    }
}
