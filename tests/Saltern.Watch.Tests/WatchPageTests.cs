using Microsoft.Playwright;

namespace Saltern.Watch.Tests;

/// <summary>The page in a real Chromium. Skips, and says so, where none is installed.</summary>
public sealed class WatchPageTests : IAsyncLifetime, IDisposable
{
    private static readonly string[] Browsers =
    [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ];

    // A loaded machine takes seconds for what takes milliseconds.
    private const float Patience = 180_000;
    private readonly RunOnDisk _disk = new();
    private readonly List<string> _consoleErrors = [];
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private WatchServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _disk.Add("BASELINE", false, 100, step => 6 - 0.01 * step, true);
        _disk.Add("SALT", true, 50, step => 5.85 - 0.01 * step, false);
        _server = await WatchServer.StartAsync(
            new WatchOptions
            {
                Runs = RunFolders.Find([_disk.Folder]),
                Port = 0,
                Interval = TimeSpan.FromMilliseconds(300),
            }
        );
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.DisposeAsync();
        }

        _playwright?.Dispose();
        await _server.DisposeAsync();
        Dispose();
        GC.SuppressFinalize(this);
    }

    public void Dispose()
    {
        if (Directory.Exists(_disk.Folder))
        {
            _disk.Dispose();
        }
    }

    private async Task<IPage> Open(int width = 1280, ColorScheme scheme = ColorScheme.Light)
    {
        string? browser = Browsers.FirstOrDefault(File.Exists);
        Assert.SkipWhen(browser is null, $"No Chromium: none of {string.Join(", ", Browsers)} is installed.");
        _playwright = await Playwright.CreateAsync();
        // Without the sandbox, as in containers tests run as root.
        _browser = await _playwright.Chromium.LaunchAsync(
            new BrowserTypeLaunchOptions
            {
                ExecutablePath = browser,
                Args = ["--no-sandbox"],
                Timeout = Patience,
            }
        );
        IPage page = await _browser.NewPageAsync(
            new BrowserNewPageOptions
            {
                ViewportSize = new ViewportSize { Width = width, Height = 900 },
                ColorScheme = scheme,
            }
        );
        page.SetDefaultTimeout(Patience);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _consoleErrors.Add(message.Text);
            }
        };
        page.PageError += (_, error) => _consoleErrors.Add(error);
        await page.GotoAsync(_server.Address.ToString());
        // The last chart is drawn: what comes before it is, too.
        await page.Locator("#bucket-easy .scatterlayer path.js-line").First.WaitForAsync();
        return page;
    }

    [Fact]
    public async Task Charts_AreDrawnFromTheRuns_WithoutAnErrorInTheConsole()
    {
        IPage page = await Open();
        // Two students, one teacher, two ω, two learning rates.
        Assert.Equal(7, await page.Locator("#training .scatterlayer path.js-line").CountAsync());
        // Two curves and the gap; the baseline's last loss and the gap's zero, and the switch.
        Assert.Equal(3, await page.Locator("#validation .scatterlayer path.js-line").CountAsync());
        Assert.Equal(3, await page.Locator("#validation .shapelayer path").CountAsync());
        Assert.Equal(1, await page.Locator("#agreement .xy .scatterlayer path.js-line").CountAsync());
        Assert.Equal(6, await page.Locator("#speed .scatterlayer path.js-line").CountAsync());
        string sentence = await page.Locator(".comparison li").InnerTextAsync();
        Assert.Contains("SALT-seed-1 is 0.150 nats below the baseline at step 50", sentence, StringComparison.Ordinal);
        Assert.Contains("after 85 steps: 15 % fewer steps", sentence, StringComparison.Ordinal);
        Assert.Empty(_consoleErrors);
    }

    [Fact]
    public async Task NewLines_AppearInTheOpenPage_TornOnesWait()
    {
        IPage page = await Open();
        string metrics = Path.Combine(_disk["SALT"], "metrics.jsonl");
        string lines = RunOnDisk.Line(60, 5.2, true);
        await File.AppendAllTextAsync(
            metrics,
            lines + "{\"step\":70,\"train/st",
            TestContext.Current.CancellationToken
        );
        await page.GetByText("running, step 60 of 100").WaitForAsync();
        // The drawn curve follows: its last point's hover text is Plotly's own copy of the data.
        await page.WaitForFunctionAsync(
            "() => document.querySelector('#validation .js-plotly-plot').data.some(t => t.x.at(-1) === 60 && t.y.at(-1) === 5.2)"
        );
        Assert.Empty(_consoleErrors);
    }

    [Fact]
    public async Task Keyboard_HidesARun_ShowsFigures_ChangesTheTheme()
    {
        IPage page = await Open();
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Skip to the charts", await page.EvaluateAsync<string>("document.activeElement.textContent"));
        await page.GetByLabel("SALT-seed-1").First.FocusAsync();
        await page.Keyboard.PressAsync("Space");
        await page.Locator(".comparison")
            .WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await page.WaitForFunctionAsync(
            "() => document.querySelector('#validation .js-plotly-plot').data.length === 1"
        );
        await page.Locator("#validation button").FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await page.Locator("#validation table tbody tr").First.WaitForAsync();
        Assert.Equal(10, await page.Locator("#validation table tbody tr").CountAsync());
        await page.GetByLabel("Theme").SelectOptionAsync("dark");
        await page.WaitForFunctionAsync(
            "() => getComputedStyle(document.querySelector('.page')).backgroundColor === 'rgb(13, 17, 23)'"
        );
        Assert.Empty(_consoleErrors);
    }

    [Fact]
    public async Task TheLegend_HidesAnArmOrAll_TheSliderSmoothsWhatIsNoisyAlone()
    {
        // Every other training loss lies 0.4 above the validation loss of its step.
        string metrics = Path.Combine(_disk["SALT"], "metrics.jsonl");
        await File.WriteAllTextAsync(
            metrics,
            string.Concat(
                Enumerable
                    .Range(1, 10)
                    .Select(i =>
                        RunOnDisk
                            .Line(10 * i, 5, true)
                            .Replace(
                                "\"train/student_nll\":5",
                                $"\"train/student_nll\":{5 + (i % 2 * 0.4m)}",
                                StringComparison.Ordinal
                            )
                    )
            ),
            TestContext.Current.CancellationToken
        );
        IPage page = await Open();
        await page.GetByLabel("Smoothing").FillAsync("50");
        // Weights 1, 1/2 … 1/512 from the last of the ten backwards; the last is 5.0, its neighbours by turns 5.4 and 5.0: 5 + 0.4·(1/2 + 1/8 + … + 1/512)/(2 − 1/512) = 5.1333.
        await page.WaitForFunctionAsync(
            "() => Math.abs(document.querySelector('#training .js-plotly-plot').data[1].y.at(-1) - 5.1333) < 1e-4"
        );
        Assert.Equal(
            5,
            await page.EvaluateAsync<double>("document.querySelector('#validation .js-plotly-plot').data[1].y.at(-1)")
        );

        await page.Locator(".chip", new PageLocatorOptions { HasText = "SALT" }).ClickAsync();
        await page.WaitForFunctionAsync(
            "() => document.querySelector('#validation .js-plotly-plot').data.length === 1"
        );
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Hide all" }).ClickAsync();
        await page.Locator("#validation")
            .WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Detached });
        await page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Show all" }).ClickAsync();
        await page.Locator("#validation .scatterlayer path.js-line").First.WaitForAsync();
        Assert.Empty(_consoleErrors);
    }

    [Fact]
    public async Task OnPaper_ItIsLight_WithoutWhatNobodyCanPress()
    {
        IPage page = await Open(1280, ColorScheme.Dark);
        await page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print });
        Assert.Equal(
            "rgb(31, 35, 40)",
            await page.EvaluateAsync<string>("getComputedStyle(document.querySelector('.page')).color")
        );
        Assert.False(await page.Locator(".chooser").First.IsVisibleAsync());
        Assert.False(await page.Locator("button").First.IsVisibleAsync());
        Assert.True(await page.Locator(".chip").First.IsVisibleAsync());
    }

    [Theory]
    [InlineData("tokens", 100 * 2_000)]
    [InlineData("seconds in steps", 100)]
    [InlineData("FLOPs, the live teacher's included", 100e9)]
    public async Task TheAxis_IsTheReadersChoice(string axis, double end)
    {
        IPage page = await Open();
        await page.GetByLabel("Against").SelectOptionAsync(new SelectOptionValue { Label = axis });
        await page.WaitForFunctionAsync(
            "([title, end]) => { const plot = document.querySelector('#validation .js-plotly-plot'); "
                + "return plot.layout.xaxis.title.text === title && plot.data[0].x.at(-1) === end && "
                + "document.querySelector('#validation .xtitle')?.textContent === title; }",
            new object[] { axis, end }
        );
        // The switch after step 40 moves along, and the gap is that of equal costs, which here are equal steps.
        Assert.Equal(
            0.4 * end,
            await page.EvaluateAsync<double>(
                "document.querySelector('#validation .js-plotly-plot').layout.shapes.find(s => s.yref === 'paper').x0"
            ),
            1e-6 * end
        );
        Assert.Equal(
            -0.15,
            await page.EvaluateAsync<double>("document.querySelector('#validation .js-plotly-plot').data[2].y.at(-1)"),
            1e-9
        );
        Assert.Empty(_consoleErrors);
    }

    [Theory]
    [InlineData(ColorScheme.Light, 390)]
    [InlineData(ColorScheme.Dark, 390)]
    [InlineData(ColorScheme.Dark, 1280)]
    public async Task NothingIsCutOff_AndTextStandsOutFromItsGround(ColorScheme scheme, int width)
    {
        IPage page = await Open(width, scheme);
        Assert.True(
            await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= window.innerWidth"),
            "the page scrolls sideways"
        );
        Assert.True(
            await page.EvaluateAsync<bool>(
                "[...document.querySelectorAll('.js-plotly-plot')].every(p => p.getBoundingClientRect().right <= window.innerWidth)"
            ),
            "a chart is cut off"
        );
        // 4.5:1 is WCAG 2's bound for text of this size (1.4.3).
        double contrast = await page.EvaluateAsync<double>(
            """
            () => {
              const rgb = colour => {
                const c = document.createElement('canvas').getContext('2d');
                c.fillStyle = colour;
                c.fillRect(0, 0, 1, 1);
                return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3); };
              const light = colour => rgb(colour)
                .map(v => v / 255)
                .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
              const ground = light(getComputedStyle(document.querySelector('.chart')).backgroundColor);
              return Math.min(...[...document.querySelectorAll('.chart .js-plotly-plot text, .chart .note')].map(text => {
                const style = getComputedStyle(text), ink = light(text instanceof SVGElement ? style.fill : style.color);
                return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05); }));
            }
            """
        );
        Assert.True(contrast >= 4.5, $"a text has contrast {contrast:0.00}");
    }

    [Fact]
    public async Task WhatAModelWrote_IsShownAsText_AndNewTextWhileTheRunGoesOn()
    {
        IPage page = await Open();
        await File.WriteAllTextAsync(
            Path.Combine(_disk["SALT"], "samples.json"),
            """{ "step": 50, "samples": [ { "prompt": "The wind ", "text": "follows <i>nobody</i>." } ] }""",
            TestContext.Current.CancellationToken
        );
        await page.GetByText("after step 50").WaitForAsync();
        Assert.Contains(
            "follows <i>nobody</i>.",
            await page.Locator("blockquote").Last.InnerTextAsync(),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "sees <b>the harbour</b>.",
            await page.Locator("blockquote").First.InnerTextAsync(),
            StringComparison.Ordinal
        );
    }
}
