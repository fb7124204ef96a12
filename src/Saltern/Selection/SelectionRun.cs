using Saltern.Batches;
using Saltern.Files;
using Saltern.Guidance;
using Saltern.RunFiles;
using Saltern.Shards;
using Saltern.Tokenization;

namespace Saltern.Selection;

/// <summary>From scores to a selection and its report.</summary>
public static class SelectionRun
{
    /// <summary>Name of the page in the selection's folder.</summary>
    internal const string ReportFile = RunLayout.Report;

    private const string LockFile = "select.lock";

    /// <summary>Scores, chooses, writes the list and the report.</summary>
    /// <param name="scores">Folder of a finished pass.</param>
    /// <param name="dataPath">Data set folder that the teacher pass was made for; null for where it was then.</param>
    /// <param name="rule">How to choose.</param>
    /// <param name="output">Folder to write.</param>
    /// <param name="own">A score in place of the rule's; null for the rule's.</param>
    /// <exception cref="ConfigurationException">The rule is out of range, or the data set is another one.</exception>
    public static SelectionSummary Run(
        string scores,
        string? dataPath,
        SelectionRule rule,
        string output,
        OwnScore? own = null
    )
    {
        SelectionManifest written = Report(scores, dataPath, rule, output, own).Manifest;
        return new SelectionSummary(written.Scored, written.Chosen);
    }

    /// <summary>As <see cref="Run"/>, with the report that is written.</summary>
    internal static SelectionReport Report(
        string scores,
        string? dataPath,
        SelectionRule rule,
        string output,
        OwnScore? own = null
    )
    {
        using FileLock held = FileLock.Take(
            Path.Combine(output, LockFile),
            $"Another 'saltern select' is writing into {output}",
            "Wait for it, or name another folder."
        );
        using TeacherCache pass = TeacherCache.Open(scores, verify: true); // all of it is read anyway
        rule.Validate(pass.Plan.VocabularySize);
        if (own is null && pass.Plan.IsServed && rule.Score.K > pass.Plan.Kept)
        {
            throw new ConfigurationException(
                $"--k = {rule.Score.K}, but the pass in {scores} was made from a served model, whose ranks end at the "
                    + $"{pass.Plan.Kept} tokens that it names. Give a --k of no more, or make the pass from the model's folder."
            );
        }

        string path = dataPath ?? pass.Manifest.DataPath;
        if (!Path.Exists(path) && !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
        {
            throw new ConfigurationException(
                $"The data set of --scores = {scores} was at {path}, which is not there. Name it with --data."
            );
        }

        DataConfig samples = new()
        {
            Path = path,
            Tokenizer = pass.Manifest.DataTokenizer,
            SequenceLength = pass.Plan.Samples.SequenceLength,
            MaskDocuments = pass.Plan.Samples.MaskDocuments,
            Packing = pass.Plan.Samples.Packing ?? PackingKind.Stream,
        };
        using TokenDataset data = TokenDataset.OpenAny(samples.Path, samples.Tokenizer);
        BpeTokenizer tokenizer = BpeTokenizer.Load(data.TokenizerPath);
        string[] problems =
        [
            .. pass.Plan.Samples.DifferencesFrom(
                SampleSpace.Of(data.Fingerprint, samples, pass.Manifest.Objective),
                $"--scores = {scores}"
            ),
        ];
        if (problems.Length > 0)
        {
            throw new ConfigurationException(problems);
        }

        SampleReader reader = SampleReader.Create(
            [.. data.Domains.Select(domain => domain.Train)],
            samples,
            pass.Manifest.Objective,
            tokenizer
        );
        var selection = SampleSelection.Choose(pass, rule, own);
        SelectionManifest manifest = SelectionFolder.Write(
            output,
            selection,
            pass,
            rule,
            [.. data.Domains.Select(domain => domain.Name)],
            own?.Name
        );
        var report = SelectionReport.Of(selection, manifest, pass.Manifest.Buckets, reader, tokenizer);
        WholeFile.WriteText(Path.Combine(output, ReportFile), SelectionReportWriter.Html(report));
        return report;
    }
}

/// <summary>What a selection took.</summary>
/// <param name="Scored">Samples with a score.</param>
/// <param name="Chosen">Samples that stage 1 draws from.</param>
public sealed record SelectionSummary(long Scored, long Chosen);
