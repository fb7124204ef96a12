// dotnet run -c Release --project samples/Saltern.Samples -- train FOLDER, then transition FOLDER, then score FOLDER
using Saltern.Samples;

switch (args)
{
    case ["train", string folder]:
        TrainFromCSharp.Run(folder);
        break;
    case ["transition", string folder]:
        OwnTransition.Run(folder);
        break;
    case ["score", string folder]:
        OwnSelectionScore.Run(folder);
        break;
    default:
        Console.Error.WriteLine("train, transition or score, and a folder; train comes first.");
        return 2;
}

return 0;
