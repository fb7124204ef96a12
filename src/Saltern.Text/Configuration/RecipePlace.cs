using System.Globalization;

namespace Saltern.Configuration;

/// <summary>Where something stands: in the recipe with line and column, or in one <c>--set</c>.</summary>
/// <param name="Source">The recipe's name, or <c>--set a.b=1</c>.</param>
/// <param name="Line">From 1; 0 where lines mean nothing, as in a <c>--set</c>.</param>
/// <param name="Order">0 for the recipe, then the overrides from 1: problems are listed in this order.</param>
internal readonly record struct RecipePlace(string Source, int Line, int Column, int Order) : IComparable<RecipePlace>
{
    public int CompareTo(RecipePlace other) => (Order, Line, Column).CompareTo((other.Order, other.Line, other.Column));

    public override string ToString()
    {
        if (Line == 0)
        {
            return Source;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{Source}:{Line}:{Column}");
    }
}
