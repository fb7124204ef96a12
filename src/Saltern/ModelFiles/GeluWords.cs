using Saltern.Models;

namespace Saltern.ModelFiles;

/// <summary>Hugging Face's words for the GELUs.</summary>
internal static class GeluWords
{
    private static readonly Dictionary<string, Activation> Words = new()
    {
        ["gelu"] = Activation.Gelu,
        ["gelu_new"] = Activation.GeluNew,
        ["gelu_fast"] = Activation.GeluFast,
        ["gelu_pytorch_tanh"] = Activation.GeluPytorchTanh,
    };

    /// <summary>The activation that a key names.</summary>
    /// <param name="otherwise">What its absence means.</param>
    /// <exception cref="DataFormatException">It names another one.</exception>
    public static Activation Read(ConfigJson json, string key, string otherwise)
    {
        string word = json.Text(key) ?? otherwise;
        if (Words.TryGetValue(word, out Activation activation))
        {
            return activation;
        }

        throw json.Wrong(key, word, string.Join(", ", Words.Keys));
    }

    /// <summary>The word of an activation.</summary>
    public static string Word(Activation activation) => Words.First(pair => pair.Value == activation).Key;
}
