using System.Text.RegularExpressions;
using System.Xml.Linq;
using Saltern.RunFiles;
using Saltern.Verdicts;

namespace Saltern.Tests.Verdicts;

public class ReportPageTests
{
    private static readonly RunRecord Baseline = FakeStudy.Run("baseline", 1, 3.715);
    private static readonly RunRecord Salt = FakeStudy.Run("salt", 1, 3.625, 250);

    [Fact]
    public void Page_NeedsNothingFromElsewhere()
    {
        string html = Page(Baseline, Salt);
        Assert.DoesNotContain("http", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotMatch(@"(?i)\s(src|href)\s*=|@import|<link|url\((?!#)", html);
    }

    [Fact]
    public void Page_EscapesWhatModelsAndFilesSay()
    {
        string html = Page(
            Baseline,
            Salt with
            {
                RecipeText = "name: \"</pre><script>alert(1)</script>\"\n",
                Result = Salt.Result with
                {
                    Arm = "<img onerror=x>",
                    TextSamples = [new TextSample("\"><b>", "</p><script>alert(2)</script>\0\uD800 ok")],
                },
            }
        );
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img", html, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;alert(2)&lt;/script&gt;\uFFFD\uFFFD ok", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Page_OpensWithTheSentence_AndHasEveryPart()
    {
        XElement page = Parse(Page(Baseline, Salt));
        XElement main = page.Descendants("main").Single();

        string first = main.Descendants("p").First().Value;
        Assert.StartsWith("SALT reached BASELINE's final validation loss", first, StringComparison.Ordinal);
        Assert.EndsWith("A reading from 1 seed, not a finding.", first, StringComparison.Ordinal);
        Assert.Equal(
            ["The figures", "By domain", "Against what it cost", "What the models write", "How it was made"],
            main.Descendants("h2").Select(heading => heading.Value)
        );
        Assert.Contains(main.Descendants("td"), cell => cell.Value == "0.667");
        Assert.Contains(main.Descendants("td"), cell => cell.Value == "3.225 (−0.090)"); // stories: 3.625 − 0.4
        Assert.Contains(main.Descendants("th"), cell => cell.Value == "distillation.weight");
        Assert.Contains("width=device-width", Page(Baseline, Salt), StringComparison.Ordinal);
    }

    [Fact]
    public void Plots_HaveNameDescriptionAndDataAndNoClashingIdentifiers()
    {
        XElement page = Parse(Page(Baseline, Salt));
        List<XElement> drawings = [.. page.Descendants("svg")];
        List<string> identifiers =
        [
            .. page.Descendants().Select(element => element.Attribute("id")?.Value).OfType<string>(),
        ];

        Assert.Equal(8, drawings.Count);
        Assert.All(drawings, svg => Assert.Equal("img", svg.Attribute("role")!.Value));
        Assert.All(
            drawings,
            svg =>
                Assert.All(svg.Attribute("aria-labelledby")!.Value.Split(' '), id => Assert.Contains(id, identifiers))
        );
        Assert.Equal(identifiers.Count, identifiers.Distinct().Count());
        Assert.All(
            page.Descendants("figure"),
            figure => Assert.Single(figure.Descendants("details"), details => details.Descendants("table").Any())
        );
        foreach (Match reference in Regex.Matches(string.Concat(drawings), @"url\(#([^)]+)\)"))
        {
            Assert.Contains(reference.Groups[1].Value, identifiers);
        }
    }

    [Fact]
    public void Plots_TakeTheirColoursFromVariables()
    {
        string drawings = string.Concat(Parse(Page(Baseline, Salt)).Descendants("svg"));
        Assert.DoesNotMatch(@"rgb\(|fill:black", drawings);
        Assert.Contains("stroke:var(--line1)", drawings, StringComparison.Ordinal);
        Assert.Contains("stroke-dasharray", drawings, StringComparison.Ordinal);
    }

    [Fact]
    public void Crossing_IsMarkedWhereThereIsOne()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        Assert.Contains(">795 steps<", Page(baseline, salt), StringComparison.Ordinal);
        Assert.DoesNotMatch(@">\d+ steps<", Page(Baseline, FakeStudy.Run("salt", 1, 3.8, 250)));
    }

    [Fact]
    public void SeedsThatTheVerdictLeavesOut_AreNotInTheReport()
    {
        RunRecord[] baselines = [FakeStudy.Run("baseline", 1, 3.715), FakeStudy.Run("baseline", 2, 3.715)];
        RunRecord[] others = [.. new[] { 1, 2, 7 }.Select(seed => FakeStudy.Run("salt", seed, 3.62, 250))];
        string html = ReportPage.ToHtml(Verdict.Compute(baselines, others), baselines, others);
        Assert.Contains("SALT, seed 2", html, StringComparison.Ordinal);
        Assert.DoesNotContain("SALT, seed 7", html, StringComparison.Ordinal);
        Assert.Contains("SALT, mean of 2 seeds", html, StringComparison.Ordinal);
    }

    [Fact]
    public void SeveralArmsAndSeeds_AreAllShown_AndClocksThatDoNotCompareAreNot()
    {
        int[] seeds = [1, 2, 3];
        RunRecord[] baselines = [.. seeds.Select(seed => FakeStudy.Run("baseline", seed, 3.715))];
        RunRecord[] others =
        [
            .. seeds.SelectMany(seed =>
                new[] { FakeStudy.Run("salt", seed, 3.62, 250), FakeStudy.Run("rkd", seed, 3.8, 1000) }
            ),
        ];
        others[0] = others[0] with { Result = others[0].Result with { SecondsComparable = false } };

        string html = ReportPage.ToHtml(Verdict.Compute(baselines, others), baselines, others);

        Assert.Contains("RKD, mean of 3 seeds", html, StringComparison.Ordinal);
        Assert.Contains("not comparable", html, StringComparison.Ordinal);
        Assert.Contains(">seconds, free<", html, StringComparison.Ordinal);
        Assert.DoesNotContain("Validation loss against training time", html, StringComparison.Ordinal);
    }

    [Fact]
    public void ColumnsThatWouldSayTheSameOfEveryArm_AreLeftOut_AndTheNoteSaysSo()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        string all = Page(baseline, salt);
        Assert.Contains(">seconds, free<", all, StringComparison.Ordinal);
        Assert.DoesNotContain("FLOPs, with passes", all, StringComparison.Ordinal);

        string none = Page(baseline, salt with { Result = salt.Result with { SecondsComparable = false } });
        Assert.DoesNotContain(">seconds, free<", none, StringComparison.Ordinal);
        Assert.DoesNotContain("not comparable<", none, StringComparison.Ordinal);
        Assert.Contains("Seconds are not comparable here, so there is no column", none, StringComparison.Ordinal);

        RunTeacher reading = salt.Result.Teacher! with { PassFlops = 1e9 };
        string passes = Page(baseline, salt with { Result = salt.Result with { Teacher = reading } });
        Assert.Contains("FLOPs, with passes", passes, StringComparison.Ordinal);
    }

    [Fact]
    public void AWarningOfAllOfManyArms_DoesNotNameEach_ButTheVerdictsFileDoes()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        RunRecord[] others =
        [
            .. Enumerable
                .Range(1, 5)
                .Select(i => salt with { Result = salt.Result with { Arm = $"arm {i}", SecondsComparable = false } }),
        ];
        Verdict verdict = Verdict.Compute([baseline], others);
        string warning = "All 5 arms: seconds do not compare";
        Assert.Contains(warning, ReportPage.ToHtml(verdict, [baseline], others), StringComparison.Ordinal);
        Assert.Contains(warning, VerdictText.Write(verdict), StringComparison.Ordinal);
        Assert.Contains(
            "ARM 1, ARM 2, ARM 3, ARM 4, ARM 5: seconds",
            verdict.ToJson(),
            StringComparison.OrdinalIgnoreCase
        );
    }

    [Fact]
    public void AStudyOfFineTuning_SaysSoInItsTitle_AndWhatItFoundBeforeAnyFigure()
    {
        (RunRecord baseline, RunRecord salt) = FakeStudy.Worked();
        FineTuneScore Score(string arm, int tuning, double after) =>
            new(arm, 1, tuning, "sums", "acc", true, 100, 0, 0.1, after);
        var context = new ReportContext
        {
            Study = "Study small (2026-11-26-small)",
            FineTuning =
            [
                Score(baseline.Result.Arm, 1, 0.30),
                Score(baseline.Result.Arm, 2, 0.40),
                Score(salt.Result.Arm, 1, 0.34),
                Score(salt.Result.Arm, 2, 0.42),
            ],
        };
        XElement main = Parse(ReportPage.ToHtml(Verdict.Compute([baseline], [salt]), [baseline], [salt], context))
            .Descendants("main")
            .Single();
        Assert.Equal(
            "Study small (2026-11-26-small): SALT against BASELINE, and after fine-tuning",
            main.Element("h1")!.Value
        );
        // Differences of 4 and 2 points: 3 ± 12.706 · √2 / √2.
        string sentence = main.Elements("div").ElementAt(1).Elements("p").Last().Value;
        Assert.EndsWith(
            "sums acc +3.0 [−9.7, +15.7] points, no difference shown, over 2 pairs.",
            sentence,
            StringComparison.Ordinal
        );
        Assert.Equal("After fine-tuning", main.Descendants("h2").First().Value);
        Assert.Matches(@"^Students of .+ parameters, .+ tokens a run, 1 seed\.$", main.Elements("div").First().Value);
    }

    [Fact]
    public void ManyArms_OpenWithASummaryAndOnePicture_AndTheSentencesFollow()
    {
        int[] seeds = [1, 2, 3];
        string[] arms = ["salt-a", "salt-b", "salt-c", "rkd", "other"];
        RunRecord[] baselines = [.. seeds.Select(seed => FakeStudy.Run("baseline", seed, 3.715 + (0.001 * seed)))];
        RunRecord[] others =
        [
            .. arms.SelectMany(
                (arm, i) =>
                    seeds
                        .Take(arm == "other" ? 1 : 3)
                        .Select(seed =>
                            FakeStudy.Run(arm, seed, arm == "rkd" ? 3.8 : 3.62 - (0.01 * i) + (0.002 * seed), 250)
                        )
            ),
        ];
        others =
        [
            .. others.Select(run =>
                run.Result.Arm is "salt-a" or "salt-b"
                    ? run with
                    {
                        Result = run.Result with { SecondsComparable = false },
                    }
                    : run
            ),
        ];
        Verdict verdict = Verdict.Compute(baselines, others);
        XElement main = Parse(ReportPage.ToHtml(verdict, baselines, others)).Descendants("main").Single();

        Assert.Equal("5 arms against BASELINE", main.Element("h1")!.Value);
        // The finding first: of those that helped, the one with the lowest loss crosses first. Then how many there were.
        string[] opening = [.. main.Descendants("p").Take(4).Select(paragraph => paragraph.Value)];
        Assert.Equal(verdict.Runs[2].SentenceFree, opening[0]);
        Assert.StartsWith($"{verdict.Runs[2].Label} helped (3 seeds)", opening[0], StringComparison.Ordinal);
        Assert.Equal("Of 5 arms against BASELINE, 3 helped, 1 harmed, 1 had fewer than 3 seeds.", opening[2]);
        Assert.StartsWith(
            "It is the cheapest of the 3 that helped, chosen after the fact",
            opening[3],
            StringComparison.Ordinal
        );

        XElement picture = main.Descendants("figure").First();
        Assert.Equal(4, picture.Descendants("svg").First().Elements("circle").Count());
        Assert.Contains(picture.Descendants("text"), text => text.Value == "not reached");
        Assert.Equal(5, picture.Descendants("tbody").Single().Elements("tr").Count());
        Assert.All(
            verdict.Runs,
            run => Assert.Contains(main.Descendants("p"), paragraph => paragraph.Value == run.SentenceFree)
        );

        // One warning for the two arms whose clocks do not compare.
        string[] warnings =
        [
            .. main.Descendants("p")
                .Where(paragraph => paragraph.Attribute("class")?.Value == "warning")
                .Select(paragraph => paragraph.Value),
        ];
        Assert.Single(
            warnings,
            warning =>
                warning.StartsWith(
                    $"{verdict.Runs[0].Label}, {verdict.Runs[1].Label}: seconds do not compare",
                    StringComparison.Ordinal
                )
        );

        List<string> identifiers =
        [
            .. main.Descendants().Select(element => element.Attribute("id")?.Value).OfType<string>(),
        ];
        Assert.Equal(identifiers.Count, identifiers.Distinct().Count());
        // No table grows a column with each arm.
        Assert.All(
            main.Descendants("table").Where(table => !table.Ancestors("details").Any()),
            table =>
                Assert.True(
                    table.Descendants("thead").Single().Descendants("th").Count() <= 12,
                    table.Element("caption")!.Value
                )
        );
    }

    [Fact]
    public void CommitMachineAndVersions_AreSaidOnceWhereAllRunsShareThem()
    {
        RunRecord With(RunRecord run, string commit) =>
            run with
            {
                Result = run.Result with
                {
                    Versions = new Dictionary<string, string>
                    {
                        ["saltern"] = "0.1.0+" + commit,
                        ["torchsharp"] = "0.107.0",
                    },
                },
            };
        XElement same = Parse(Page(With(Baseline, "0123456789abcdef"), With(Salt, "0123456789abcdef")));
        XElement other = Parse(Page(With(Baseline, "0123456789abcdef"), With(Salt, "fedcba9876543210")));
        Assert.Contains(
            same.Descendants("p"),
            paragraph =>
                paragraph.Value.StartsWith("All runs: ", StringComparison.Ordinal)
                && paragraph.Value.Contains(
                    "commit 01234567; versions saltern 0.1.0, torchsharp 0.107.0",
                    StringComparison.Ordinal
                )
        );
        Assert.DoesNotContain(same.Descendants("th"), heading => heading.Value == "commit");
        Assert.Contains(other.Descendants("th"), heading => heading.Value == "commit");
        Assert.Contains(other.Descendants("td"), cell => cell.Value == "fedcba98");
    }

    [Fact]
    public void RunsThatHardlyBegan_AreStillShown()
    {
        RunRecord Begun(string arm) =>
            FakeStudy.WithCurve(arm, 1, (0, 8.3)) with
            {
                Documents = [],
                RecipeText = "a: [broken",
            };
        XElement page = Parse(Page(Begun("baseline"), Begun("salt")));
        Assert.DoesNotContain("NaN", string.Concat(page.Descendants("svg")), StringComparison.Ordinal);
        Assert.Contains("a cost that was not recorded", page.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void RunsOfAnotherVerdict_AreRefused()
    {
        Verdict verdict = Verdict.Compute([Baseline], [Salt]);
        Assert.Throws<DataFormatException>(() =>
            ReportPage.ToHtml(verdict, [Baseline], [FakeStudy.Run("rkd", 1, 3.8, 1000)])
        );
    }

    [Fact]
    public void Files_AreWrittenWholeAndReplaced()
    {
        string folder = Directory.CreateTempSubdirectory("saltern-report-").FullName;
        try
        {
            Verdict verdict = Verdict.Compute([Baseline], [Salt]);
            string page = Path.Combine(folder, "new", "report.html");
            string picture = Path.Combine(folder, "curves.svg");
            File.WriteAllText(picture, "old");

            ReportPage.Write(page, verdict, [Baseline], [Salt]);
            CurvePicture.Write(picture, verdict, [Baseline], [Salt]);
            Assert.Contains("Validation loss against steps", File.ReadAllText(picture), StringComparison.Ordinal);
            CurvePicture.Write(picture, verdict, [Baseline], [Salt], PlotCost.Flops);
            Assert.Contains("Validation loss against arithmetic", File.ReadAllText(picture), StringComparison.Ordinal);
            CurvePicture.Write(picture, verdict, [Baseline], [Salt]);

            Assert.StartsWith("<!DOCTYPE html>", File.ReadAllText(page), StringComparison.Ordinal);
            Assert.Equal("svg", XElement.Load(picture).Name.LocalName);
            Assert.Contains("prefers-color-scheme:dark", File.ReadAllText(picture), StringComparison.Ordinal);
            Assert.Equal([picture, page], Directory.GetFiles(folder, "*", SearchOption.AllDirectories));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Page(RunRecord baseline, RunRecord other) =>
        ReportPage.ToHtml(Verdict.Compute([baseline], [other]), [baseline], [other]);

    private static XElement Parse(string html) => XElement.Parse(html[html.IndexOf('\n', StringComparison.Ordinal)..]);
}
