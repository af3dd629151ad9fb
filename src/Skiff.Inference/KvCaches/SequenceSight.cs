using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Inference;

/// <summary>
/// What the next positions of a sequence will see, by each rule of its engine that hides something; and how to get back to where the last
/// pass began.
/// </summary>
internal sealed class SequenceSight
{
    private readonly VisibilityRule[] _rules;
    // Null for a rule that hides nothing.
    private readonly VisibilityWalk?[] _walks, _settledWalks;
    private readonly SegmentMarker? _marker, _settledMarker;
    private readonly List<int> _tokens = [];

    public SequenceSight(EnginePlan plan)
    {
        _rules = plan.Rules;
        _walks = [.. _rules.Select(rule => rule.Hides ? new VisibilityWalk(rule) : null)];
        _settledWalks = [.. _rules.Select(rule => rule.Hides ? new VisibilityWalk(rule) : null)];
        if (_rules.Any(rule => rule.HasAnchors))
            (_marker, _settledMarker) = (new SegmentMarker(plan.Anchors!), new SegmentMarker(plan.Anchors!));
    }

    /// <summary>What a rule's rows see next; null for one that hides nothing.</summary>
    public VisibilityWalk? this[int rule] => _walks[rule];

    /// <summary>The same where the last pass began.</summary>
    public VisibilityWalk Settled(int rule) => _settledWalks[rule]!;

    /// <summary>Whether no rule hides anything.</summary>
    public bool SeesAll => Array.TrueForAll(_walks, walk => walk is null);

    /// <summary>A pass begins: this is where <see cref="Rewind"/> can get back to.</summary>
    public void Settle()
    {
        _tokens.Clear();
        for (int rule = 0; rule < _walks.Length; rule++)
            _settledWalks[rule]?.CopyFrom(_walks[rule]!);
        _settledMarker?.CopyFrom(_marker!);
    }

    /// <summary>Takes the next token.</summary>
    public void Step(int token)
    {
        _tokens.Add(token);
        Walk(token);
    }

    /// <summary>Back to so many tokens of the last pass.</summary>
    public void Rewind(int tokens)
    {
        for (int rule = 0; rule < _walks.Length; rule++)
            _walks[rule]?.CopyFrom(_settledWalks[rule]!);
        _marker?.CopyFrom(_settledMarker!);
        _tokens.RemoveRange(tokens, _tokens.Count - tokens);
        foreach (int token in _tokens)
            Walk(token);
    }

    /// <summary>In place of all positions so far, where every one is seen, a list of so many stays.</summary>
    public void Keep(int position, int entries)
    {
        for (int rule = 0; rule < _walks.Length; rule++)
            (_walks[rule], _settledWalks[rule]) = (VisibilityWalk.After(position, entries), VisibilityWalk.After(position, entries));
        Settle();
    }

    /// <summary>Stands where another stood behind so many tokens of its last pass.</summary>
    public void CopyFrom(SequenceSight other, int tokens)
    {
        for (int rule = 0; rule < _walks.Length; rule++)
        {
            if (other._settledWalks[rule] is not { } settled)
                continue;
            _walks[rule] ??= new VisibilityWalk(_rules[rule]);
            _settledWalks[rule] ??= new VisibilityWalk(_rules[rule]);
            _walks[rule]!.CopyFrom(settled);
        }

        _marker?.CopyFrom(other._settledMarker!);
        for (int i = 0; i < tokens && !SeesAll; i++)
            Walk(other._tokens[i]);
        Settle();
    }

    private void Walk(int token)
    {
        bool closes = _marker is not null && _marker.Next(token);
        foreach (VisibilityWalk? walk in _walks)
            walk?.Step(closes);
    }
}
