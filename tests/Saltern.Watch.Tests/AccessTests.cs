using System.Net;

namespace Saltern.Watch.Tests;

public sealed class AccessTests : IDisposable
{
    private static readonly CancellationToken Cancellation = TestContext.Current.CancellationToken;
    private readonly RunOnDisk _disk = new();
    private readonly HttpClient _client = new(new HttpClientHandler { AllowAutoRedirect = false });

    public void Dispose()
    {
        _client.Dispose();
        _disk.Dispose();
    }

    private Task<WatchServer> Start(string? token = null) =>
        WatchServer.StartAsync(
            new WatchOptions
            {
                Runs = [_disk.Add("BASELINE", false, 20, _ => 5, true)],
                Port = 0,
                Token = token,
            }
        );

    private async Task<HttpStatusCode> Get(Uri address, string path, params (string Name, string Value)[] headers) =>
        await Send(HttpMethod.Get, address, path, headers);

    private async Task<HttpStatusCode> Send(
        HttpMethod method,
        Uri address,
        string path,
        params (string Name, string Value)[] headers
    )
    {
        using var request = new HttpRequestMessage(method, new Uri(address, path));
        foreach ((string name, string value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using HttpResponseMessage response = await _client.SendAsync(request, Cancellation);
        return response.StatusCode;
    }

    [Fact]
    public async Task Loopback_ServesPageAndItsFiles()
    {
        await using WatchServer server = await Start();
        foreach (
            string path in (string[])
                [
                    "/",
                    "/watch.css",
                    "/_framework/blazor.web.js",
                    "/_content/Plotly.Blazor/plotly-basic-3.7.0.min.js",
                    "/_content/Plotly.Blazor/plotly-interop-7.2.0.js",
                ]
        )
        {
            Assert.Equal(HttpStatusCode.OK, await Get(server.Address, path));
        }
    }

    [Fact]
    public async Task ForeignNameOrOrigin_IsRefused()
    {
        // A name of someone else's that resolves to 127.0.0.1, and a script of another page.
        await using WatchServer server = await Start();
        Assert.Equal(HttpStatusCode.Forbidden, await Get(server.Address, "/", ("Host", "evil.example")));
        Assert.Equal(
            HttpStatusCode.Forbidden,
            await Get(server.Address, "/_blazor", ("Origin", "http://evil.example"))
        );
        Assert.Equal(
            HttpStatusCode.OK,
            await Get(server.Address, "/", ("Origin", $"http://{server.Address.Authority}"))
        );
    }

    [Fact]
    public async Task Writing_IsRefused()
    {
        await using WatchServer server = await Start();
        foreach (HttpMethod method in (HttpMethod[])[HttpMethod.Post, HttpMethod.Put, HttpMethod.Delete])
        {
            Assert.Equal(HttpStatusCode.MethodNotAllowed, await Send(method, server.Address, "/"));
        }
    }

    [Fact]
    public async Task Token_IsAskedForEverywhereAndTradedForACookie()
    {
        await using WatchServer server = await Start("0123abcd");
        var bare = new Uri(server.Address.GetLeftPart(UriPartial.Authority));
        Assert.Equal(HttpStatusCode.Unauthorized, await Get(bare, "/"));
        Assert.Equal(HttpStatusCode.Unauthorized, await Get(bare, "/watch.css"));
        Assert.Equal(HttpStatusCode.Unauthorized, await Get(bare, "/?token=0123abce"));
        Assert.Equal(HttpStatusCode.Unauthorized, await Get(bare, "/", ("Cookie", "saltern-watch=x")));
        // The handler keeps the cookie; the redirect takes the token out of the address line.
        Assert.Equal(HttpStatusCode.Redirect, await Get(server.Address, server.Address.PathAndQuery));
        Assert.Equal(HttpStatusCode.OK, await Get(bare, "/"));
    }

    [Fact]
    public async Task OpenAddressWithoutToken_DoesNotStart() =>
        Assert.Contains(
            "token",
            (
                await Assert.ThrowsAsync<ConfigurationException>(() =>
                    WatchServer.StartAsync(new WatchOptions { Runs = [], Address = IPAddress.Any })
                )
            ).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public async Task PortInUse_IsAnIOError()
    {
        await using WatchServer server = await Start();
        await Assert.ThrowsAnyAsync<IOException>(() =>
            WatchServer.StartAsync(new WatchOptions { Runs = [], Port = server.Address.Port })
        );
    }
}
