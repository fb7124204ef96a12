namespace Saltern.Cli.Terminal;

/// <summary>Reports where the work is done; <see cref="Progress{T}"/> would post to another thread, out of order.</summary>
public sealed class ImmediateProgress<T>(Action<T> report) : IProgress<T>
{
    /// <inheritdoc/>
    public void Report(T value) => report(value);
}
