using System.Text;

namespace Skiff.Tests.Benchmarks;

/// <summary>PPM, method D, with a table per context: what <see cref="Skiff.Benchmarks.PpmModel"/> must agree with.</summary>
internal sealed class PpmByDefinition(int order)
{
    private readonly Dictionary<string, Dictionary<byte, int>> _counts = [];
    private string _past = "";

    public double Probability(byte symbol)
    {
        HashSet<byte> excluded = [];
        double escapes = 1;
        foreach (string context in Contexts())
        {
            KeyValuePair<byte, int>[] left = [.. _counts.GetValueOrDefault(context, []).Where(entry => !excluded.Contains(entry.Key))];
            if (left.Length == 0)
                continue;
            double total = left.Sum(entry => entry.Value), escape = excluded.Count + left.Length == 256 ? 0 : left.Length / (2 * total);
            // Method D: half an occurrence of each byte goes to the escape; with nothing to escape to, none does.
            foreach ((byte known, int count) in left)
            {
                if (known == symbol)
                    return escapes * (escape == 0 ? count / total : (count - 0.5) / total);
            }

            escapes *= escape;
            excluded.UnionWith(left.Select(entry => entry.Key));
        }

        return escapes / (256 - excluded.Count);
    }

    public void Learn(byte symbol)
    {
        foreach (string context in Contexts())
        {
            if (!_counts.TryGetValue(context, out Dictionary<byte, int>? counts))
                _counts[context] = counts = [];
            counts[symbol] = counts.GetValueOrDefault(symbol) + 1;
            if (counts[symbol] > 1)
                break;
        }

        _past += Encoding.Latin1.GetString([symbol]);
    }

    // The last bytes, from the longest context to the empty one.
    private IEnumerable<string> Contexts()
    {
        for (int length = Math.Min(order, _past.Length); length >= 0; length--)
            yield return _past[(_past.Length - length)..];
    }
}
