using Saltern.Configuration;
using Saltern.FineTuning;
using Saltern.Runs;

namespace Saltern.Tests.Configuration;

public class KeySynonymsTests
{
    [Fact]
    public void EveryWord_LeadsToAKeyThatARunHas()
    {
        string[] keys =
        [
            .. Paths((RecordShape)ValueShape.Of(typeof(RunConfig)), ""),
            .. Paths((RecordShape)ValueShape.Of(typeof(FineTuneConfig)), ""),
        ];
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
    [InlineData("wd: 0.1", "Here it is called optimizer.weight_decay.")]
    [InlineData("warmup_ratio: 0.1", "Here it is called schedule.warmup_steps.")]
    [InlineData("bf16: true", "Here it is called precision.")]
    [InlineData("training: { gradient_accumulation_steps: 4 }", "Here it is called training.micro_batch_sequences.")]
    [InlineData("data: { seq_len: 512 }", "Here it is called data.sequence_length.")]
    [InlineData("training: { eval_iters: 20 }", "Here it is called training.evaluation_tokens.")]
    [InlineData("averaging: { ema_decay: 0.99 }", "Here it is called averaging.decay.")]
    [InlineData("model: { n_embed: 64 }", "Here it is called model.hidden_size.")]
    [InlineData("deepspeed: { stage: 2 }", "mpirun -np N")]
    [InlineData("wandb: true", "OpenTelemetry")]
    [InlineData("max_steps: 10", "Here it is called training.steps.")]
    [InlineData("model: { n_layer: 4 }", "Here it is called model.num_hidden_layers.")]
    public void AForeignKey_IsAnErrorThatNamesOurs(string yaml, string advice)
    {
        ConfigurationException error = Assert.Throws<ConfigurationException>(() =>
            RecipeReader.Parse<RunConfig>(yaml, "mine.yaml", [])
        );
        Assert.Contains(error.Problems, problem => problem.Contains(advice, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("lora: { r: 8 }", "Here it is called lora.rank.")]
    [InlineData("lora: { target_modules: [q_proj] }", "Here it is called lora.targets.")]
    [InlineData("lora_dropout: 0.1", "Nothing is dropped in training here.")]
    public void AForeignKeyOfFineTuning_Likewise(string yaml, string advice)
    {
        ConfigurationException error = Assert.Throws<ConfigurationException>(() =>
            RecipeReader.Parse<FineTuneConfig>(yaml, "mine.yaml", [])
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
