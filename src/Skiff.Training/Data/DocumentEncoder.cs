using System.Text;
using Skiff.Models;

namespace Skiff.Training;

/// <summary>Turns the documents of a batch into ids.</summary>
internal sealed class DocumentEncoder(Tokenizer tokenizer, TokenShardOptions options)
{
    private readonly int? _first = options.BeginWithBos ? tokenizer.BosId : null;
    private readonly int? _last = options.EndWithEos ? tokenizer.EosId : null;

    /// <summary>Encodes a batch; special tokens written out in the text stay text.</summary>
    public void Encode(DocumentBatch batch)
    {
        Workspace workspace = tokenizer.Engine.Rent();
        int start = 0;
        foreach (int end in batch.TextEnds)
        {
            ReadOnlySpan<byte> text = batch.Text.AsSpan(start, end - start);
            batch.Hashes.Add(HeldOut.Hash(text));
            if (_first is int bos)
                workspace.Append(bos);
            tokenizer.Engine.Encode(Encoding.UTF8.GetString(text), workspace, addSpecial: false, parseSpecial: false);
            if (_last is int eos)
                workspace.Append(eos);
            batch.IdEnds.Add(workspace.Count);
            start = end;
        }

        if (batch.Ids.Length < workspace.Count)
            batch.Ids = new int[workspace.Ids.Length];
        workspace.Ids.AsSpan(0, workspace.Count).CopyTo(batch.Ids);
        tokenizer.Engine.Return(workspace);
    }
}
