namespace Saltern.Cli.Tests;

public class SmokeTests
{
    [Fact]
    public void Placeholder() => Assert.NotNull(typeof(SmokeTests).Assembly.FullName);
}
