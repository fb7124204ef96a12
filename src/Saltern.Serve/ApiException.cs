namespace Saltern.Serve;

/// <summary>A request that cannot be answered; the client gets the message in OpenAI's form of an error.</summary>
internal sealed class ApiException(int status, string message, string? parameter = null) : Exception(message)
{
    /// <summary>HTTP status.</summary>
    public int Status => status;

    /// <summary>Key of the request that is wrong; null where it is none.</summary>
    public string? Parameter => parameter;
}
