using Saltern.Configuration;
using Saltern.Runs;

namespace Saltern.Tests.Configuration;

public class KeySynonymsTests
{
    [Fact]
    public void EveryWord_LeadsToAKeyThatARunHas()
    {
        string[] keys = [.. Paths((RecordShape)ValueShape.Of(typeof(RunConfig)), "")];
        Assert.All(KeySynonyms.All, word => Assert.Contains(word.Value, keys));

        // A word of another program that is a key here too would never be asked about.
        string[] top = [.. ((RecordShape)ValueShape.Of(typeof(RunConfig))).Keys.Keys];
        Assert.Empty(KeySynonyms.All.Keys.Intersect(top));
    }

    [Theory]
    [InlineData("training: { batch_size: 8 }", "Here it is called training.batch_sequences.")]
    [InlineData("lr: 1e-3", "Here it is called optimizer.learning_rate.")]
    [InlineData("training: { num_epochs: 3 }", "Length is told in steps")]
    [InlineData("output_dir: runs/x", "--out FOLDER")]
    [InlineData("model: { n_layer: 4 }", "Here it is called model.num_hidden_layers.")]
    public void AForeignKey_IsAnErrorThatNamesOurs(string yaml, string advice)
    {
        ConfigurationException error = Assert.Throws<ConfigurationException>(() =>
            RecipeReader.Parse<RunConfig>(yaml, "mine.yaml", [])
        );
        Assert.Contains(error.Problems, problem => problem.Contains(advice, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Paths(RecordShape record, string prefix)
    {
        foreach ((string name, KeyShape key) in record.Keys)
        {
            yield return prefix + name;
            if (key.Shape is RecordShape below)
            {
                foreach (string inner in Paths(below, prefix + name + "."))
                {
                    yield return inner;
                }
            }
        }
    }
}
