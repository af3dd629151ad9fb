using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// Makes merges for vocabularies that only rank their tokens (SentencePiece scores, tiktoken ranks): every way to put a
/// token together from two others is a merge with the token's rank.
/// </summary>
internal static class MergeBuilder
{
    /// <summary>The merges of all tokens with a rank (lower goes first; negative takes no part), in order.</summary>
    /// <exception cref="InvalidInputException">A token is too long to be taken apart.</exception>
    public static Merge[] Build(Vocabulary vocabulary, int[] ranks, string source)
    {
        List<Merge> merges = [];
        foreach ((string text, int id) in vocabulary.Tokens())
        {
            if (ranks[id] < 0)
                continue;
            // Taking a token apart costs the square of its length.
            if (text.Length > AddedToken.LongestContent)
                throw new InvalidInputException(source, "tokens", $"token {id} has over {AddedToken.LongestContent} characters");
            for (int cut = 1; cut < text.Length; cut++)
            {
                if (char.IsLowSurrogate(text[cut]))
                    continue;
                int left = vocabulary.IdOf(text.AsSpan(0, cut));
                int right = left < 0 ? -1 : vocabulary.IdOf(text.AsSpan(cut));
                if (right >= 0 && ranks[left] >= 0 && ranks[right] >= 0)
                    merges.Add(new Merge(left, right, ranks[id], id));
            }
        }

        return [.. merges.OrderBy(m => m.Rank).ThenBy(m => m.Left).ThenBy(m => m.Right)];
    }

    /// <summary>Ranks from scores: the highest score is 0, equal scores are equal. Ids that take no part get -1.</summary>
    public static int[] RanksOf(IReadOnlyList<float> scores, Func<int, bool> takesPart)
    {
        int[] ranks = new int[scores.Count];
        Array.Fill(ranks, -1);
        int[] order = [.. Enumerable.Range(0, scores.Count).Where(takesPart).OrderByDescending(i => scores[i])];
        int rank = -1;
        for (int i = 0; i < order.Length; i++)
        {
            if (i == 0 || scores[order[i]] != scores[order[i - 1]])
                rank++;
            ranks[order[i]] = rank;
        }

        return ranks;
    }
}
