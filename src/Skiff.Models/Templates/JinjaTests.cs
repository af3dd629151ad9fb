using System.Numerics;

namespace Skiff.Models;

/// <summary>The tests after <c>is</c>.</summary>
internal static class JinjaTests
{
    private static readonly JinjaFunctionTable Table = new()
    {
        { "defined", "", call => call.Self is not JinjaUndefined },
        { "undefined", "", call => call.Self is JinjaUndefined },
        { "none", "", call => call.Self is null },
        { "true", "", call => call.Self is true },
        { "false", "", call => call.Self is false },
        { "boolean", "", call => call.Self is bool },
        { "integer", "", call => call.Self is long or BigInteger },
        { "float", "", call => call.Self is double },
        { "number", "", call => JinjaNumbers.IsNumber(call.Self) },
        { "string", "", call => JinjaTypes.TryText(call.Self, out _) },
        { "mapping", "", call => call.Self is JinjaDict },
        { "sequence", "", call => call.Self is string or JinjaMarkup or JinjaList or JinjaDict or JinjaRange or JinjaUndefined { IsStrict: false } },
        { "iterable", "", call => JinjaTypes.IsIterable(call.Runtime, call.Self) },
        { "callable", "/", call => call.Self is JinjaCallable or JinjaUndefined },
        { "escaped", "", call => call.Self is JinjaMarkup },
        { "upper", "", call => JinjaStringMethods.IsUpper(call.SelfText) },
        { "lower", "", call => JinjaStringMethods.IsLower(call.SelfText) },
        { "odd", "", call => Remainder(call, 2L) is 1L or 1.0 },
        { "even", "", call => Remainder(call, 2L) is 0L or 0.0 },
        { "divisibleby", "num", call => Remainder(call, call.Value(0)) is 0L or 0.0 },
        { "sameas", "other", call => IsSame(call.Self, call.Value(0)) },
        { "in", "seq", call => JinjaOperators.Contains(call.Runtime, call.Self, call.Value(0)) },
        { "filter", "", call => JinjaTypes.TryText(JinjaKey.Of(call.Runtime, call.Self).Value, out string name) && JinjaFilters.Exists(name) },
        { "test", "", call => JinjaTypes.TryText(JinjaKey.Of(call.Runtime, call.Self).Value, out string name) && Exists(name) },
        { "eq", "/ other", call => Compare(call, "==") },
        { "equalto", "/ other", call => Compare(call, "==") },
        { "==", "/ other", call => Compare(call, "==") },
        { "ne", "/ other", call => Compare(call, "!=") },
        { "!=", "/ other", call => Compare(call, "!=") },
        { "lt", "/ other", call => Compare(call, "<") },
        { "lessthan", "/ other", call => Compare(call, "<") },
        { "<", "/ other", call => Compare(call, "<") },
        { "le", "/ other", call => Compare(call, "<=") },
        { "<=", "/ other", call => Compare(call, "<=") },
        { "gt", "/ other", call => Compare(call, ">") },
        { "greaterthan", "/ other", call => Compare(call, ">") },
        { ">", "/ other", call => Compare(call, ">") },
        { "ge", "/ other", call => Compare(call, ">=") },
        { ">=", "/ other", call => Compare(call, ">=") },
    };

    public static bool Exists(string name) => Table.Find(name) is not null;

    public static object? Call(JinjaRuntime runtime, string name, object? value, JinjaArguments arguments) =>
        (Table.Find(name) ?? throw runtime.Fail($"no test named '{name}'")).Invoke(runtime, value, arguments);

    private static object? Remainder(JinjaCall call, object? divisor) => JinjaOperators.Binary(call.Runtime, "%", call.Self, divisor);

    private static bool Compare(JinjaCall call, string op) => JinjaOperators.Compare(call.Runtime, op, call.Self, call.Value(0));

    private static bool IsSame(object? left, object? right) => (left, right) switch
    {
        (bool a, bool b) => a == b,
        (long a, long b) => a == b,
        (string a, string b) => a == b,
        _ => ReferenceEquals(left, right),
    };
}
