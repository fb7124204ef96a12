using System.Text;
using Saltern.Batches;

namespace Saltern.Evaluation;

/// <summary>Examples before an item, as lm-evaluation-harness lays them out: prompt, delimiter, answer; a blank line; the item's own prompt.</summary>
/// <param name="pool">Items that examples are taken from.</param>
/// <param name="poolHoldsItems">Whether the items measured are in the pool, so that one must not be its own example.</param>
/// <param name="shots">Examples before each item.</param>
internal sealed class FewShotPrompt(
    TaskDefinition definition,
    IReadOnlyList<TaskItem> pool,
    bool poolHoldsItems,
    int shots
)
{
    /// <summary>What stands before the item's own prompt; empty without examples.</summary>
    /// <remarks>The choice depends on the task's seed and the item's place alone, so neither <c>--limit</c> nor the order of work changes it.</remarks>
    /// <exception cref="ConfigurationException">There are fewer examples than asked for.</exception>
    public string Before(TaskItem item)
    {
        var text = new StringBuilder();
        foreach (TaskItem example in Examples(item))
        {
            string prompt = definition.Kind == TaskKind.ContextChoice ? example.Contexts[example.Gold] : example.Prompt;
            if (prompt.Length > 0)
            {
                text.Append(prompt).Append(definition.TargetDelimiter);
            }

            text.Append(example.Example).Append(definition.ExampleDelimiter);
        }

        return text.ToString();
    }

    /// <summary>The items that stand before an item, without repetition.</summary>
    public IReadOnlyList<TaskItem> Examples(TaskItem item)
    {
        int own = poolHoldsItems ? 1 : 0;
        if (shots > pool.Count - own)
        {
            throw new ConfigurationException(
                $"{definition.Task}: {shots} examples were asked for, but there are {pool.Count - own}. "
                    + "Use fewer --shots, or name example_data."
            );
        }

        // Floyd's sampling draws without replacement in as many draws as examples.
        var random = new SampleRandom(definition.Seed, 0, item.Index);
        var chosen = new List<int>();
        for (int top = pool.Count - own - shots; top < pool.Count - own; top++)
        {
            int drawn = random.NextBelow(top + 1);
            chosen.Add(chosen.Contains(drawn) ? top : drawn);
        }

        // The item itself is skipped.
        return [.. chosen.Select(index => pool[index + (poolHoldsItems && index >= item.Index ? 1 : 0)])];
    }
}
