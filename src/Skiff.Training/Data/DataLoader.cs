using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Training;

/// <summary>
/// An endless stream of training batches. Each row holds as many tokens as the context is long, all from one source,
/// documents packed one behind the other; a document that does not fit goes on in the source's next row. In every epoch of
/// a source every token of its documents appears exactly once, in an order that the seed decides. Used by one thread.
/// </summary>
public sealed class DataLoader
{
    /// <summary>
    /// The target of a token that the loss leaves out: a document's last one, which foretells nothing, and one before a token
    /// of a conversation that is not the assistant's.
    /// </summary>
    public const int NoTarget = -1;

    private readonly IReadOnlyList<DataSource> _sources;
    private readonly DataLoaderOptions _options;
    private readonly int _pieceLength;
    private readonly SourceCursor[] _cursors;
    private readonly double[][] _weights;
    private readonly MixtureOrder[] _orders;
    private readonly long[] _rows;
    private int _stage;

    /// <summary>A stream from its beginning, or from a position of a stream of the same seed, split and sources.</summary>
    /// <remarks>Stages may differ from those of the position's stream: a branch of a run may change what comes next.</remarks>
    /// <exception cref="InvalidInputException">An option, source or position cannot be used.</exception>
    public DataLoader(IReadOnlyList<DataSource> sources, DataLoaderOptions options, DataPosition? position = null)
    {
        DataChecks.Check(sources, options);
        _sources = sources;
        _options = options;
        _pieceLength = options.PieceLength > 0 ? options.PieceLength : options.Stages.Max(stage => stage.ContextLength);
        HeldOut part = new(options.Split, options.HeldOutShare);
        ulong seed = Permutation.Mix((ulong)options.Seed);
        _cursors = [.. sources.Select(source => new SourceCursor(source, part, _pieceLength, Permutation.Mix(seed ^ KeyOf(source.Name))))];
        _weights = [.. options.Stages.Select(stage => DataChecks.Weights(sources, options, stage))];
        _orders = [.. _weights.Select(weights => new MixtureOrder(weights))];
        _rows = new long[sources.Count];
        if (position is not null)
            Seek(position);
    }

    /// <summary>Tokens in a row of the next batch.</summary>
    public int ContextLength => _options.Stages[_stage].ContextLength;

    /// <summary>The stage of the next batch, from 0.</summary>
    public int Stage => _stage;

    /// <summary>Tokens handed out.</summary>
    public long Tokens { get; private set; }

    /// <summary>Where the stream stands.</summary>
    public DataPosition Position => new(
        Tokens, _options.Stages[_stage].From, _options.Seed, _options.Split, _options.HeldOutShare, _pieceLength,
        _sources.Select((source, i) => (source.Name, Position: new SourcePosition(
            source.Shards.Key, _weights[_stage][i], _rows[i], _cursors[i].Epoch, _cursors[i].Unit, _cursors[i].Offset))).ToDictionary(pair => pair.Name, pair => pair.Position));

    /// <summary>
    /// Fills the next rows, row by row, without taking memory. A batch lies wholly in one stage: the next one begins with
    /// the first batch at or behind its <see cref="DataStage.From"/>.
    /// </summary>
    /// <param name="tokens">[rows, <see cref="ContextLength"/>] ids.</param>
    /// <param name="targets">The same shape: the id that follows in the document, or <see cref="NoTarget"/>.</param>
    /// <param name="documentStarts">
    /// The same shape: where in its row a token's document begins (0 for one that goes on from the row before). Token t sees
    /// j where documentStarts[t] &lt;= j &lt;= t; its position is t, or t - documentStarts[t] where positions restart.
    /// </param>
    /// <exception cref="ArgumentException">The shapes differ or are no whole rows.</exception>
    public void Next(Span<int> tokens, Span<int> targets, Span<int> documentStarts)
    {
        int context = ContextLength;
        if (tokens.Length % context != 0 || targets.Length != tokens.Length || documentStarts.Length != tokens.Length)
            throw new ArgumentException($"{tokens.Length} tokens, {targets.Length} targets and {documentStarts.Length} starts are not the same number of rows of {context}");
        for (int at = 0; at < tokens.Length; at += context)
        {
            int source = _orders[_stage].Next(_rows);
            _cursors[source].Read(tokens.Slice(at, context), targets.Slice(at, context), documentStarts.Slice(at, context));
            _rows[source]++;
        }

        Tokens += tokens.Length;
        int stage = StageAt(Tokens);
        if (stage != _stage)
            Array.Clear(_rows);
        _stage = stage;
    }

    // By name, so that the others' order stays when a source joins.
    private static ulong KeyOf(string name) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name)));

    private int StageAt(long tokens)
    {
        int stage = 0;
        while (stage + 1 < _options.Stages.Count && _options.Stages[stage + 1].From <= tokens)
            stage++;
        return stage;
    }

    private void Seek(DataPosition position)
    {
        if (position.Seed != _options.Seed || position.Split != _options.Split || position.HeldOutShare != _options.HeldOutShare || position.PieceLength != _pieceLength)
            throw new InvalidInputException("data position", "options", string.Create(CultureInfo.InvariantCulture, $"made with seed {position.Seed}, the {position.Split} side at a held-out share of {position.HeldOutShare}, and pieces of {position.PieceLength} tokens, not with {_options.Seed}, {_options.Split}, {_options.HeldOutShare} and {_pieceLength}"));
        if (position.Tokens < 0)
            throw new InvalidInputException("data position", "tokens", $"{position.Tokens} is negative");
        if (position.Sources.Keys.FirstOrDefault(name => _sources.All(source => source.Name != name)) is string lost)
            throw new InvalidInputException("data position", lost, "this source is no longer there: keep it with weight 0");
        Tokens = position.Tokens;
        _stage = StageAt(Tokens);
        // Rows count towards the mixture only while it is the one they were counted in.
        bool sameMixture = position.StageFrom == _options.Stages[_stage].From;
        for (int i = 0; i < _sources.Count; i++)
        {
            if (!position.Sources.TryGetValue(_sources[i].Name, out SourcePosition? source))
            {
                sameMixture &= _weights[_stage][i] == 0;
                continue;
            }

            if (source.Data != _sources[i].Shards.Key)
                throw new InvalidInputException("data position", _sources[i].Name, $"made with other shards than those of {_sources[i].Shards.Folder}");
            if (source.Rows < 0 || source.Rows > Tokens)
                throw new InvalidInputException("data position", _sources[i].Name, $"{source.Rows} rows cannot be");
            _cursors[i].Seek(source.Epoch, source.Unit, source.Offset);
            sameMixture &= source.Weight == _weights[_stage][i];
        }

        for (int i = 0; sameMixture && i < _sources.Count; i++)
            _rows[i] = position.Sources.TryGetValue(_sources[i].Name, out SourcePosition? source) ? source.Rows : 0;
    }
}
