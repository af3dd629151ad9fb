namespace Skiff.Models;

/// <summary>
/// The parameters of a library function: names separated by spaces, those that end in <c>?</c> may be left out,
/// a leading <c>/</c> forbids giving them by name, and <c>*</c> and <c>**</c> take the rest.
/// </summary>
internal sealed record JinjaSignature(string[] Names, int Required, bool ByPositionOnly, bool TakesRest, bool TakesNamed)
{
    private const int CharactersPerStep = 16;

    /// <summary>Stands for an argument that was left out.</summary>
    public static object Missing { get; } = new();

    public static JinjaSignature Parse(string parameters)
    {
        string[] words = parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] names = [.. words.Where(word => word is not ("/" or "*" or "**")).Select(word => word.TrimEnd('?'))];
        int required = words.Count(word => !word.EndsWith('?') && word is not ("/" or "*" or "**"));
        return new(names, required, words.Contains("/"), words.Contains("*"), words.Contains("**"));
    }

    public JinjaCall Bind(JinjaRuntime runtime, string function, object? self, JinjaArguments arguments)
    {
        object?[] values = new object?[Names.Length];
        if (arguments.Positional.Count > Names.Length && !TakesRest)
            throw runtime.Fail($"'{function}' takes at most {Names.Length} arguments, there are {arguments.Positional.Count}");
        int named = 0;
        for (int i = 0; i < Names.Length; i++)
        {
            object? value = Missing;
            bool given = !ByPositionOnly && arguments.Named.TryGetValue(Names[i], out value);
            named += given ? 1 : 0;
            if (i < arguments.Positional.Count)
                value = given ? throw runtime.Fail($"'{function}' is given '{Names[i]}' twice") : arguments.Positional[i];
            else if (!given)
                value = i < Required ? throw runtime.Fail($"'{function}' needs the argument '{Names[i]}'") : Missing;
            values[i] = value;
        }

        if (arguments.Named.Count > named && !TakesNamed)
        {
            string unknown = arguments.Named.Keys.First(name => ByPositionOnly || !Names.Contains(name));
            throw runtime.Fail($"'{function}' takes no argument named '{unknown}'");
        }

        // What a function reads costs steps, so that one call on a long text is not as cheap as one on a short text.
        if (JinjaTypes.TryText(self, out string text))
            runtime.Step(text.Length / CharactersPerStep);
        return new(runtime, function, self, values, arguments);
    }
}
