using Saltern.Losses;

namespace Saltern.Tests.Losses;

public class LossSumsTests
{
    [Fact]
    public void Add_TakesTheCountedRowsOfTheRange_AndTheTeachersSumsWhereThereIsOne()
    {
        // Rows 1 to 3 of five: 1 has no teacher, 2 is not counted, 3 has a teacher; 0 and 4 lie outside.
        PositionLosses losses = new(5);
        for (int row = 0; row < 5; row++)
        {
            losses.Counted[row] = row != 2;
            losses.HasTeacher[row] = row != 1;
            losses.Correct[row] = losses.Agrees[row] = true;
            losses.Loss[row] = 1 << row;
            losses.StudentNll[row] = 100 << row;
            losses.Omega[row] = 0.5f;
            losses.Gate[row] = 0.25f;
            losses.TeacherNll[row] = 3;
            losses.TeacherNllTempered[row] = 3;
            losses.CrossEntropyToTeacher[row] = 5;
            losses.TeacherEntropy[row] = 7;
        }

        var sums = new LossSums();
        sums.Add(losses, firstRow: 1, rowCount: 3);
        // The reference of two equal losses is that loss: gap 800 − 3.
        Assert.Equal([2, 1, 10, 1_000, 2, 0.5, 3, 3, 5, 7, 1, 797, 0.25], sums.ToValues());

        losses.Correct[3] = losses.Agrees[3] = false;
        sums.Add(losses, firstRow: 3, rowCount: 1);
        Assert.Equal([3, 2, 18, 1_800, 2, 1, 6, 6, 10, 14, 1, 1_594, 0.5], sums.ToValues());
    }

    [Fact]
    public void SumsOfSums_AddEveryPart_AndSurviveTheWayToOtherRanks()
    {
        double[] values = [.. Enumerable.Range(1, 13).Select(i => (double)(1 << i))];
        LossSums sums = LossSums.FromValues(values);
        Assert.Equal(values, sums.ToValues());
        sums.Add(LossSums.FromValues([.. Enumerable.Range(1, 13).Select(i => (double)i)]));
        Assert.Equal(values.Select((value, i) => value + i + 1), sums.ToValues());
    }

    [Theory]
    [InlineData(1.0, 2_000.0, 1.0, 2_000.0)] // only the tempered one counts, though its probability is beyond float64
    [InlineData(2_000.0, 1.0, 1.0, 1.0)]
    [InlineData(1.0, 2_000.0, 0.5, 1.6931471805599454)] // 1 + ln 2
    [InlineData(1_000.0, 1_000.0, 0.3, 1_000.0)]
    public void Reference_NeverUnderflows(double plain, double tempered, double omega, double expected) =>
        Assert.Equal(expected, LossSums.Reference(plain, tempered, omega), 12);
}
