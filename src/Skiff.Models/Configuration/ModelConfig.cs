using System.Text.Json.Nodes;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>
/// What a decoder computes, as data: sizes, norms, positions, attention, feed-forward and scales. It is read from the
/// <c>config.json</c> of any known family (see <see cref="Parse(JsonObject, string)"/>); property names are the keys of
/// that file wherever such a key exists. Nothing below this record knows of families.
/// </summary>
public sealed record ModelConfig
{
    /// <summary>The family, as <c>config.json</c> names it: <c>llama</c>, <c>qwen2</c>, <c>gpt_neox</c>...</summary>
    public required string ModelType { get; init; }

    /// <summary>The file this was read from, kept whole: what is saved is this, never a paraphrase.</summary>
    public required JsonObject Source { get; init; }

    /// <summary>Rows of the embedding table.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Width D of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>The longest sequence the model was made for; positions beyond it are refused.</summary>
    public required int MaxPositionEmbeddings { get; init; }

    /// <summary>The blocks in the order they run; a shared block appears once for each run.</summary>
    public required IReadOnlyList<LayerConfig> Layers { get; init; }

    /// <summary>Number of blocks that run.</summary>
    public int NumHiddenLayers => Layers.Count;

    /// <summary>The output head is the embedding table.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Width of the embedding table where a projection follows it (OPT-350M); otherwise D.</summary>
    public int WordEmbedProjDim { get; init; }

    /// <summary>The norms of the blocks and of the end.</summary>
    public NormConfig Norm { get; init; } = new();

    /// <summary>A norm follows the last block.</summary>
    public bool FinalNorm { get; init; } = true;

    /// <summary>A norm follows the embedding (BLOOM).</summary>
    public bool EmbeddingNorm { get; init; }

    /// <summary>Where a block's norms stand.</summary>
    public NormPlacement NormPlacement { get; init; } = NormPlacement.Before;

    /// <summary>Attention and feed-forward read the same input: x + attention(norm x) + feedForward(norm x).</summary>
    public bool UseParallelResidual { get; init; }

    /// <summary>With a parallel residual, one norm serves both branches (Phi) or each has its own (GPT-NeoX).</summary>
    public bool SharedParallelNorm { get; init; }

    /// <summary>The residual is taken after the norm, not before it (a BLOOM option).</summary>
    public bool ApplyResidualConnectionPostLayernorm { get; init; }

    /// <summary>How positions enter.</summary>
    public PositionKind Position { get; init; } = PositionKind.Rotary;

    /// <summary>Rows of the learned position table before position 0 (2 in OPT).</summary>
    public int PositionOffset { get; init; }

    /// <summary>Width of one query and key head; need not be D divided by the number of heads.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Width of one value head; differs from <see cref="HeadDim"/> only in latent attention.</summary>
    public int ValueHeadDim { get; init; }

    /// <summary>Compressed queries and keys (MLA), or null for plain heads.</summary>
    public LatentAttentionConfig? Latent { get; init; }

    /// <summary>Query, key and value projections add a bias.</summary>
    public bool QkvBias { get; init; }

    /// <summary>The attention output projection adds a bias.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Norm of queries and keys before the rotation.</summary>
    public QueryKeyNorm QkNorm { get; init; } = QueryKeyNorm.None;

    /// <summary>Factor on q.k before the softmax.</summary>
    public required double AttentionScale { get; init; }

    /// <summary>Block l divides its attention scores by l + 1 as well (a GPT-2 option).</summary>
    public bool ScaleAttnByInverseLayerIdx { get; init; }

    /// <summary>Soft cap c on attention scores, c tanh(s / c); 0 for none (Gemma 2).</summary>
    public double AttnLogitSoftcapping { get; init; }

    /// <summary>Bound on the absolute value of q, k and v; 0 for none (OLMo).</summary>
    public double ClipQkv { get; init; }

    /// <summary>Queries beyond this position are scaled by log(position) / log(this); 0 for none (Qwen 1).</summary>
    public int LogAttentionLength { get; init; }

    /// <summary>Feed-forward with a gate: down(act(gate x) * up x), or plain: down(act(up x)).</summary>
    public bool Gated { get; init; } = true;

    /// <summary>The feed-forward's nonlinearity.</summary>
    public Activation HiddenAct { get; init; } = Activation.Silu;

    /// <summary>Feed-forward projections add a bias.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Experts per block; 0 for a dense feed-forward.</summary>
    public int NumLocalExperts { get; init; }

    /// <summary>Experts that a token visits.</summary>
    public int NumExpertsPerTok { get; init; }

    /// <summary>One feed-forward serves all blocks (MobiLlama).</summary>
    public bool SharedFeedForward { get; init; }

    /// <summary>The recurrent blocks' sizes, or null where every block attends (RecurrentGemma).</summary>
    public RecurrentConfig? Recurrent { get; init; }

    /// <summary>Factor on the embedding output.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>Factor on each branch before it joins the residual (scale_depth / sqrt(layers), see <see cref="ScaleKeys"/>).</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>Factor on the last hidden state before the head (dim_model_base / hidden_size).</summary>
    public double LogitScale { get; init; } = 1;

    /// <summary>Soft cap on the output logits; 0 for none.</summary>
    public double FinalLogitSoftcapping { get; init; }

    /// <summary>The output head adds a bias (Phi).</summary>
    public bool HeadBias { get; init; }

    /// <summary>How segments are pressed into anchors, or null for a model that was not trained so.</summary>
    public AnchorConfig? Anchors { get; init; }

    /// <summary>Reads the text of a <c>config.json</c>.</summary>
    /// <param name="json">UTF-8 bytes.</param>
    /// <param name="source">File name for messages.</param>
    /// <exception cref="Tensors.InvalidInputException">Names the key that is wrong, missing or unknown.</exception>
    public static ModelConfig Parse(ReadOnlySpan<byte> json, string source) => Parse(ConfigReader.ParseObject(json, source), source);

    /// <inheritdoc cref="Parse(ReadOnlySpan{byte}, string)"/>
    public static ModelConfig Parse(JsonObject json, string source)
    {
        ConfigReader reader = new(json, source);
        ModelFamily family = ModelFamily.Of(reader);
        reader.Family = family;
        ModelConfig config = family.Describe(reader);
        if (!family.HasOwnScales)
            config = ScaleKeys.Read(reader, config);
        config = config with { Anchors = AnchorKeys.Read(reader, config.VocabSize) };
        reader.RefuseUnreadKeys();
        ConfigChecks.Check(config, source);
        return config;
    }

    /// <summary>The same architecture with some keys of <c>config.json</c> changed (standard key names, see <see cref="ModelFamily.KeyNames"/>).</summary>
    public ModelConfig With(IReadOnlyDictionary<string, JsonNode?> changes)
    {
        JsonObject json = (JsonObject)Source.DeepClone();
        foreach ((string key, JsonNode? value) in changes)
        {
            // A name the file does not use may not contradict the one it uses.
            string name = Family.NameIn(json, key);
            foreach (string other in Family.NamesOf(key).Where(n => n != name))
                json.Remove(other);
            json[name] = value?.DeepClone();
        }

        return Parse(json, "config.json");
    }

    /// <summary>The family's table entry.</summary>
    internal ModelFamily Family => ModelFamily.ByType[ModelType];

    /// <summary>Number of stored numbers, each shared one once.</summary>
    public long ParameterCount => ParameterList.Kinds(this).Sum(k => k.Times * k.Parameter.Count);

    /// <summary>The same without what turns ids into vectors and back: embedding tables, their projections, the head.</summary>
    public long NonEmbeddingParameterCount => ParameterList.Kinds(this)
        .Where(k => k.Parameter.Module is not ("embedding" or "position_embedding" or "embedding_projection" or "output_projection" or "head"))
        .Sum(k => k.Times * k.Parameter.Count);

    /// <summary>Values of key and value that one position adds to a full cache, over all blocks.</summary>
    public long CacheValuesPerToken => Latent is { } latent
        ? (long)(latent.KvLoraRank + latent.QkRopeHeadDim) * NumHiddenLayers
        : Layers.Where(l => l.Kind == LayerKind.Attention).Sum(l => (long)l.KeyValueHeads * (HeadDim + ValueHeadDim));
}
