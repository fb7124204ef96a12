namespace Saltern.Growth;

/// <summary>Where one layer of a deeper model comes from.</summary>
/// <param name="Layer">Layer that it copies, from 0.</param>
/// <param name="IsNew">Whether that layer is already elsewhere in the deeper model.</param>
/// <param name="IsSilent">Whether it adds nothing to the residual stream yet.</param>
internal sealed record LayerSource(int Layer, bool IsNew, bool IsSilent)
{
    /// <summary>The layers of a deeper model, bottom to top.</summary>
    /// <param name="before">l.</param>
    /// <param name="after">L.</param>
    /// <exception cref="ConfigurationException">The operator does not lead from l to L; says what does.</exception>
    public static IReadOnlyList<LayerSource> Of(DepthOperator growth, int before, int after)
    {
        if (after < before)
        {
            throw new ConfigurationException(
                $"{after} layers cannot grow out of {before}: growth adds layers. Give at least {before}."
            );
        }

        int[] sources = growth switch
        {
            DepthOperator.Stack => Whole(growth, before, after, layer => layer % before),
            DepthOperator.Interleave => Whole(growth, before, after, layer => layer / (after / before)),
            DepthOperator.Middle => Middle(before, after),
            _ => [.. Enumerable.Range(0, after).Select(layer => (int)((long)layer * before / after))],
        };
        var seen = new HashSet<int>();
        return
        [
            .. sources.Select(source =>
            {
                bool isNew = !seen.Add(source);
                return new LayerSource(source, isNew, isNew && growth == DepthOperator.Zero);
            }),
        ];
    }

    private static int[] Whole(DepthOperator growth, int before, int after, Func<int, int> source)
    {
        if (after % before == 0)
        {
            return [.. Enumerable.Range(0, after).Select(source)];
        }

        int below = after / before * before;
        throw new ConfigurationException(
            $"'{growth.ToString().ToLowerInvariant()}' repeats all {before} layers, "
                + $"so it leads from {before} to {below} or {below + before} layers, not to {after}. "
                + "Take one of these, or 'zero', which leads to any number"
                + (after <= 2 * before ? ", or 'middle'." : ".")
        );
    }

    // The middle ones once more, above themselves.
    private static int[] Middle(int before, int after)
    {
        int extra = after - before;
        if (extra > before)
        {
            throw new ConfigurationException(
                $"'middle' doubles at most all {before} layers, so it leads from {before} to at most {2 * before} layers, not to {after}. "
                    + "Grow in several stages, or take 'zero', which leads to any number"
                    + (after % before == 0 ? ", or 'stack' or 'interleave'." : ".")
            );
        }

        int first = (before - extra) / 2;
        return [.. Enumerable.Range(0, first + extra), .. Enumerable.Range(first, before - first)];
    }
}
