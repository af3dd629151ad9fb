// B batch, T time, N = B T tokens, D model, V vocabulary
using Skiff.Inference;
using Skiff.Models;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// Any described decoder, recorded for batches of one shape: the same steps as <see cref="Decoder"/>, whose forward it equals, on
/// kernels that have gradients.
/// </summary>
internal sealed partial class DecoderTape : IDisposable
{
    private readonly ModelConfig _config;
    private readonly TrainingParameters _parameters;
    private readonly DecoderTapeOptions _options;
    private readonly Tape _tape;
    private readonly int[] _tokens, _positions, _positionRows, _starts;
    private readonly float[] _queryFactors;
    private readonly Dictionary<VisibilityRule, Visibility[]> _visibilities = [];
    private readonly SegmentMarker? _marker;
    private readonly bool[] _closes;
    private readonly Dictionary<RopeConfig, RotaryEmbedding> _rotations = [];
    private readonly List<ExpertLoss> _expertLosses = [];
    private readonly Dictionary<int, TapeValue> _states = [];
    private readonly TopLogits? _kept;

    /// <summary>Records and plans; no memory is taken for activations yet.</summary>
    public DecoderTape(ModelConfig config, TrainingParameters parameters, DecoderTapeOptions options, ThreadTeam? team = null)
    {
        (_config, _parameters, _options) = (config, parameters, options);
        int tokens = checked(options.Batch * options.Time);
        (_tokens, _positions, _starts) = (new int[tokens], new int[tokens], new int[tokens]);
        _positionRows = config.Position == PositionKind.Learned ? new int[tokens] : [];
        _queryFactors = config.LogAttentionLength > 0 ? new float[tokens] : [];
        _marker = config.Anchors is { } anchors ? new SegmentMarker(anchors) : null;
        _closes = new bool[_marker is null ? 0 : options.Time];
        for (int n = 0; n < tokens; n++)
            _positions[n] = n % options.Time;
        PlaceRows();
        _tape = new Tape(options.Recompute, team);
        Loss = new TokenLoss(tokens);
        _kept = options.Cache is { } cache ? new TopLogits(tokens, cache.Count) : null;
        TapeValue x = Embed();
        Compare(x, -1);
        for (int l = 0; l < config.NumHiddenLayers; l++)
        {
            _tape.BeginBlock();
            x = Block(x, config.Layers[l]);
            _tape.EndBlock();
            Compare(x, l);
        }

        if (config.FinalNorm)
            x = Norm(x, "final_norm");
        if (config.WordEmbedProjDim != config.HiddenSize)
            x = _tape.Linear(x, _parameters.Tape("output_projection.weight"));
        Head = new TeacherHead(
            x, _parameters.Tape(config.TieWordEmbeddings ? "embedding.weight" : "head.weight"), config.HeadBias ? _parameters.Tape("head.bias") : null,
            (float)config.LogitScale, (float)config.FinalLogitSoftcapping);
        if (options.IsTeacher)
            _tape.Keep(x);
        if (options.Teacher is { } teacher)
            _tape.Distillation(x, Head.Head, teacher.Head with { Kept = _kept }, options.Goal, options.LabelWeight, Loss, Head.Bias, Head.LogitScale, Head.SoftCap, StateLoss);
        else if (!options.IsTeacher || options.Learns)
            _tape.CrossEntropy(x, Head.Head, Loss, Head.Bias, Head.LogitScale, Head.SoftCap);
        _tape.Plan();
    }

    /// <summary>Tokens of a batch.</summary>
    public int Tokens => _tokens.Length;

    /// <summary>T.</summary>
    public int Time => _options.Time;

    /// <summary>Bytes of activations and scratch memory, the teacher's included.</summary>
    public long ByteLength => _tape.ByteLength + (_options.Teacher?.ByteLength ?? 0);

    /// <summary>What it ends with: what a student reads of it.</summary>
    public TeacherHead Head { get; }

    /// <summary>The loss of the last pass, and the factor on gradients.</summary>
    public TokenLoss Loss { get; }

    /// <summary>What the compared hidden states add up to in the last pass with gradients; no part of <see cref="Loss"/>.</summary>
    public StateLoss StateLoss { get; } = new();

    /// <summary>Where the time of every operation is added up, or null.</summary>
    public OperationTimes? Times
    {
        get => _tape.Times;
        set => _tape.Times = value;
    }

    /// <summary>The balance and z losses of each mixture of experts.</summary>
    public IReadOnlyList<ExpertLoss> ExpertLosses => _expertLosses;

    /// <summary>Takes a batch over; all three are [B T] as <see cref="DataLoader.Next"/> fills them.</summary>
    public void Load(ReadOnlySpan<int> tokens, ReadOnlySpan<int> targets, ReadOnlySpan<int> documentStarts)
    {
        _options.Teacher?.Load(tokens, targets, documentStarts);
        tokens.CopyTo(_tokens);
        targets.CopyTo(Loss.Targets);
        int time = _options.Time;
        if (_options.DocumentMask)
        {
            documentStarts.CopyTo(_starts);
            for (int n = 0; n < _positions.Length; n++)
                _positions[n] = n % time - _starts[n];
            PlaceRows();
        }

        if (_options.DocumentMask || _marker is not null)
            SetVisibilities();

        for (int n = 0; n < _queryFactors.Length; n++)
            _queryFactors[n] = _positions[n] + 1 > _config.LogAttentionLength ? (float)(Math.Log(_positions[n] + 1) / Math.Log(_config.LogAttentionLength)) : 1;
    }

    /// <summary>The number of the first row of the next batch among all rows of a run; negative for rows that are only measured on.</summary>
    public long FirstRow { get; set; } = -1;

    // An anchor's segment ends with its document, and a row that begins in the midst of one begins a segment.
    private void SetVisibilities()
    {
        int time = _options.Time;
        for (int b = 0; b < _options.Batch; b++)
        {
            Span<int> documents = _starts.AsSpan(b * time, time);
            _marker?.Reset();
            for (int i = 0; i < _closes.Length; i++)
            {
                if (i > 0 && documents[i] != documents[i - 1])
                    _marker!.Reset();
                _closes[i] = _marker!.Next(_tokens[b * time + i]);
            }

            bool full = FirstRow >= 0 && SplitMix64.Share(SplitMix64.Mix(SplitMix64.Mix((ulong)_options.Seed) + (ulong)(FirstRow + b))) < _options.FullShare;
            foreach ((VisibilityRule rule, Visibility[] rows) in _visibilities)
            {
                if (b >= rows.Length)
                    continue;
                VisibilityRule own = full && rule.Segments ? VisibilityRule.Causal : rule;
                rows[b].Set(own, time, _options.DocumentMask ? documents : default, own.HasAnchors ? _closes : default(ReadOnlySpan<bool>));
            }
        }
    }

    /// <summary>Forward; with gradients the head's are there afterwards.</summary>
    public void Forward(bool gradients)
    {
        // What is only measured is the text's loss.
        if (gradients && _options.Cache is { } cache)
            cache.Fill(FirstRow, _tokens, _starts, _options.Teacher!, _kept!);
        else if (gradients && _options.Teacher is { } teacher)
        {
            teacher.Loss.GradientScale = Loss.GradientScale;
            teacher.Forward(teacher._options.Learns);
        }

        Loss.Gradients = gradients;
        StateLoss.Clear();
        _tape.Forward();
    }

    /// <summary>Adds to the gradients of the parameters.</summary>
    public void Backward()
    {
        _tape.Backward();
        if (_options.Teacher is { _options.Learns: true } teacher)
            teacher.Backward();
    }

    // A teacher keeps what a student compares itself with.
    private void Compare(TapeValue x, int block)
    {
        foreach (StatePair pair in _options.States)
        {
            if (_options.IsTeacher && pair.Teacher == block && _states.TryAdd(block, x))
                _tape.Keep(x);
            else if (!_options.IsTeacher && pair.Student == block)
            {
                TapeValue own = _parameters.Has(StatePair.ProjectionName) ? _tape.Linear(x, _parameters.Tape(StatePair.ProjectionName)) : x;
                _tape.StateDistillation(own, _options.Teacher!._states[pair.Teacher], Loss, StateLoss);
            }
        }
    }

    private void PlaceRows()
    {
        for (int n = 0; n < _positionRows.Length; n++)
            _positionRows[n] = _positions[n] + _config.PositionOffset;
    }

    /// <summary>Gives the memory back at once.</summary>
    public void Dispose()
    {
        _options.Teacher?.Dispose();
        _tape.Dispose();
    }

    private TapeValue Embed()
    {
        TapeValue x = _tape.Embedding(_parameters.Tape("embedding.weight"), _tokens, (float)_config.EmbeddingScale);
        if (_config.WordEmbedProjDim != _config.HiddenSize)
            x = _tape.Linear(x, _parameters.Tape("embedding_projection.weight"));
        if (_config.Position == PositionKind.Learned)
            x = _tape.Residual(x, _tape.Embedding(_parameters.Tape("position_embedding.weight"), _positionRows), 1);
        return _config.EmbeddingNorm ? Norm(x, "embedding_norm") : x;
    }

    private TapeValue Norm(TapeValue x, string module, int layer = -1)
    {
        NormConfig norm = _config.Norm;
        return _tape.Norm(
            x, norm.Gain ? [_parameters.Tape(Parameter.NameOf(module, "weight", layer))] : [],
            norm.Bias ? _parameters.Tape(Parameter.NameOf(module, "bias", layer)) : null,
            new NormSettings(norm.Rms, norm.Epsilon, norm.GainOffset));
    }

    private TapeValue Linear(TapeValue x, int layer, bool bias, params string[] modules)
    {
        bool adapted = modules.Any(Adapts);
        TapeValue y = _tape.Linear(
            x, _parameters.Tape([.. modules.Select(module => Parameter.NameOf(module, "weight", layer))]),
            bias ? _parameters.Tape([.. modules.Select(module => Parameter.NameOf(module, "bias", layer))]) : null, adapted);
        if (adapted)
            Adapt(x, y, layer, modules);
        return y;
    }

    private bool Adapts(string module) => _options.Lora is { } lora && lora.Modules.Contains(module);

    // y += alpha / rank (x A^T) B^T for each module that has an adapter (arXiv 2106.09685, equation 3); with a route, each expert's own.
    private void Adapt(TapeValue x, TapeValue y, int layer, string[] modules, ExpertRoute? route = null)
    {
        int column = 0;
        foreach (string module in modules)
        {
            int rows = (int)_parameters[Parameter.NameOf(module, "weight", layer, route is null ? -1 : 0)].Value.Rows;
            if (Adapts(module))
            {
                TapeValue low = route is null ? _tape.Linear(x, Matrix(LoraSettings.Down)) : _tape.ExpertLinear(x, route, Matrices(LoraSettings.Down, layer, module), []);
                _tape.Scale(low, (float)_options.Lora!.Scale);
                if (route is null)
                    _tape.AddLinear(y.Block(column, rows), low, Matrix(LoraSettings.Up));
                else
                    _tape.AddExpertLinear(y.Block(column, rows), low, route, Matrices(LoraSettings.Up, layer, module));
            }

            column += rows;

            TapeParameter Matrix(string kind) => _parameters.Tape(Parameter.NameOf(module, kind, layer));
        }
    }

    // One for each expert.
    private IReadOnlyList<TapeParameter> Matrices(string kind, int layer, params string[] modules) =>
        [.. Enumerable.Range(0, _config.NumLocalExperts).Select(e => _parameters.Tape([.. modules.Select(module => Parameter.NameOf(module, kind, layer, e))]))];

    private Visibility[] Visible(VisibilityRule rule)
    {
        if (_visibilities.TryGetValue(rule, out Visibility[]? rows))
            return rows;
        rows = [.. Enumerable.Range(0, _options.DocumentMask || rule.HasAnchors ? _options.Batch : 1).Select(_ => new Visibility(_options.Time))];
        foreach (Visibility row in rows)
            row.Set(rule, _options.Time, default, rule.HasAnchors ? new bool[_options.Time] : []);
        return _visibilities[rule] = rows;
    }

    private RotaryEmbedding Rotation(RopeConfig rope)
    {
        if (!_rotations.TryGetValue(rope, out RotaryEmbedding? rotary))
        {
            (double[] frequencies, double scale) = rope.Frequencies(_options.Time);
            _rotations[rope] = rotary = new RotaryEmbedding(_options.Time, frequencies, scale);
        }

        return rotary;
    }
}
