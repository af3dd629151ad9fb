// T context
using System.Text;
using Skiff.Models;
using Skiff.Tensors;
using Skiff.Training;

namespace Skiff.Benchmarks;

/// <summary>
/// The bits that a language model needs for a text: the sum of -log2 p over its tokens. Windows of the model's context overlap by
/// half, so that every token but those of the first window is foretold from at least half a context.
/// </summary>
internal sealed class ModelBits : IDisposable
{
    private const int Batch = 8;

    private readonly Tokenizer _tokenizer;
    private readonly TrainingParameters _parameters;
    private readonly DecoderTape _tape;
    private readonly int _time;

    /// <summary>Opens a model.</summary>
    /// <exception cref="InvalidInputException">It cannot be read, or has no token that begins a text.</exception>
    public ModelBits(string path)
    {
        Model model = Model.Open(path);
        _tokenizer = model.Tokenizer;
        if (_tokenizer.BosId is null)
            throw new InvalidInputException(path, "bos_token", "there is none, so the first token of a text is not foretold");
        _time = model.Config.MaxPositionEmbeddings;
        _parameters = new TrainingParameters(ParameterList.Of(model.Config), _ => false);
        _parameters.Load(model.Parameter);
        _tape = new DecoderTape(model.Config, _parameters, new DecoderTapeOptions { Batch = Batch, Time = _time, DocumentMask = false });
        Name = $"{path}, {model.Config.ParameterCount} parameters";
    }

    /// <summary>For the table.</summary>
    public string Name { get; }

    public void Dispose() => _tape.Dispose();

    /// <summary>Bits of a text in UTF-8.</summary>
    public double Code(byte[] text)
    {
        int[] ids = [_tokenizer.BosId!.Value, .. _tokenizer.Encode(Encoding.UTF8.GetString(text), addSpecial: false, parseSpecial: false)];
        int[] tokens = new int[Batch * _time], targets = new int[tokens.Length], starts = new int[tokens.Length];
        double nats = 0;
        int row = 0;
        targets.AsSpan().Fill(-1);
        for (int start = 0, told = 1; told < ids.Length; start += _time / 2)
        {
            int count = Math.Min(_time, ids.Length - 1 - start);
            ids.AsSpan(start, count).CopyTo(tokens.AsSpan(row * _time));
            for (; told <= start + count; told++)
                targets[row * _time + told - 1 - start] = ids[told];
            if (++row < Batch && told < ids.Length)
                continue;
            _tape.Load(tokens, targets, starts);
            _tape.Forward(gradients: false);
            nats += _tape.Loss.Sum;
            targets.AsSpan().Fill(-1);
            row = 0;
        }

        GC.KeepAlive(_parameters);
        return nats / Math.Log(2);
    }
}
