// dotnet run -c Release --project samples/Saltern.Samples -- train FOLDER, then any of the others
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
    case ["teacher", string folder]:
        OwnTeacher.Run(folder);
        break;
    case ["generate", string folder]:
        LoadAndGenerate.Run(folder);
        break;
    case ["evaluate", string folder]:
        EvaluateFromCSharp.Run(folder);
        break;
    case ["host", string folder]:
        TrainInAHost.Run(folder);
        break;
    default:
        Console.Error.WriteLine(
            "train, transition, score, teacher, generate, evaluate or host, and a folder; train comes first."
        );
        return 2;
}

return 0;
