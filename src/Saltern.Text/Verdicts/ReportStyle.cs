namespace Saltern.Verdicts;

/// <summary>The report's look: one column, light and dark, phone and paper, no script and no fonts from elsewhere.</summary>
/// <remarks>The page is written as XML, so the sheet avoids the characters that would have to be escaped.</remarks>
internal static class ReportStyle
{
    public static string Css => PlotPalette.Css() + Sheet + "\n" + Paper;

    private const string Sheet = """
        :root{--page:#f6f8fa;color-scheme:light}
        @media screen and (prefers-color-scheme:dark){:root{--page:#0d1117;color-scheme:dark}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
        main{max-width:940px;margin:0 auto;padding:24px 20px 48px}
        main .scroll{width:max-content;min-width:100%;max-width:min(96vw,1500px);position:relative;left:50%;transform:translateX(-50%)}
        details .scroll,.columns .scroll{width:auto;max-width:100%;left:0;transform:none}
        h1{font-size:1rem;font-weight:600;color:var(--muted);margin:0 0 12px}
        .subject{margin:-8px 0 14px}
        h2{font-size:1.25rem;margin:40px 0 12px}
        h3{font-size:.85rem;margin:0 0 4px;color:var(--muted)}
        .verdict p{margin:0 0 10px}
        .verdict .free{font-size:1.35rem;line-height:1.4;font-weight:600;text-wrap:pretty}
        .verdict.several .free{font-size:1.08rem}
        .verdict .counts{margin:0 0 6px}
        .arms .free{font-weight:600;margin:14px 0 2px}.arms .charged{color:var(--muted);margin:0}
        .verdict .charged{color:var(--muted);font-size:1.02rem}
        .warning{border-left:4px solid var(--line5);padding:6px 12px;margin:8px 0;background:var(--card)}
        figure,.sample{margin:20px 0;padding:14px;background:var(--card);border:1px solid var(--grid);border-radius:8px}
        figcaption{font-weight:600;margin-bottom:6px}
        figure svg{display:block;width:100%;height:auto}
        .narrow{display:none}
        .note{color:var(--muted);font-size:.85rem;margin:4px 0}
        details{margin:8px 0}
        summary{cursor:pointer;color:var(--muted);font-size:.9rem}
        .scroll{overflow-x:auto;margin:12px 0;background:var(--card);border:1px solid var(--grid);border-radius:8px}
        details .scroll{max-height:420px;overflow-y:auto}
        table{border-collapse:collapse;width:100%;font-size:.88rem;font-variant-numeric:tabular-nums}
        caption{text-align:left;padding:10px 12px 6px;font-weight:600}
        caption span{display:inline-block;position:sticky;left:12px;max-width:calc(100vw - 60px)}
        th,td{padding:6px 12px;text-align:right;border-top:1px solid var(--grid);white-space:nowrap}
        th:first-child,.words td{text-align:left}
        thead th{color:var(--muted);font-weight:500;vertical-align:bottom;white-space:normal;min-width:5.5em}
        tbody th{font-weight:600}
        pre{overflow-x:auto;padding:12px;background:var(--card);border:1px solid var(--grid);border-radius:8px;font-size:.82rem}
        .columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:16px}
        .multiples{grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:10px}
        .words td{white-space:normal;overflow-wrap:anywhere}
        .text{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.92rem}
        .prompt{margin:0 0 10px;overflow-wrap:anywhere}
        footer{margin-top:40px;color:var(--muted);font-size:.85rem}
        @media screen and (max-width:600px){main{padding:16px 12px 32px}.wide{display:none}.narrow{display:block}
        figure,.sample{padding:10px 6px}.verdict .free{font-size:1.08rem}th,td{padding:6px 8px}
        main .scroll{width:auto;max-width:100%;left:0;transform:none}}
        """;

    private const string Paper =
        "@media print{@page{margin:12mm}:root{--page:#fff}body{font-size:9.5pt}main{max-width:none;padding:0}"
        + "h2{margin-top:24px}h2,figcaption{break-after:avoid}h3{font-size:8.5pt}\n"
        + ".verdict .free{font-size:14pt}.verdict .charged{font-size:10pt}\n"
        + "figure,tr,.multiples div,.scroll,.sample{break-inside:avoid}figure.spread{break-inside:auto}"
        + "figure,.sample{padding:8px;margin:12px 0}.note{font-size:8pt}.text{font-size:7.5pt}\n"
        + ".columns{grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}"
        + ".multiples{grid-template-columns:repeat(4,1fr)}\n"
        + "main .scroll{overflow:visible;border:0;width:auto;max-width:none;left:0;transform:none}"
        + "table{font-size:7.5pt}th,td{padding:2px 4px}thead th{min-width:0}"
        + "details:not([open]){display:none}}";
}
