using System.Text;
using Skiff.Models;

namespace Skiff.Training;

/// <summary>Turns the documents of a batch into ids.</summary>
internal sealed class DocumentEncoder(Tokenizer tokenizer, ChatTemplate? template, TokenShardOptions options)
{
    private readonly int? _first = options.BeginWithBos ? tokenizer.BosId : null;
    private readonly int? _last = options.EndsWithEos ? tokenizer.EosId : null;
    private readonly ChatEncoder? _chat = template is null ? null : new ChatEncoder(tokenizer, template);

    /// <summary>Encodes a batch; special tokens written out in a text stay text, those of a template are parsed.</summary>
    public void Encode(DocumentBatch batch)
    {
        Workspace workspace = tokenizer.Engine.Rent();
        int start = 0;
        for (int i = 0; i < batch.TextEnds.Count; i++)
        {
            ReadOnlySpan<byte> text = batch.Text.AsSpan(start, batch.TextEnds[i] - start);
            if (_chat is null)
                Encode(text, workspace, batch);
            else
                _chat.Encode(text, batch.Origins[i], workspace, batch);
            batch.IdEnds.Add(workspace.Count);
            start = batch.TextEnds[i];
        }

        if (batch.Ids.Length < workspace.Count)
            batch.Ids = new int[workspace.Ids.Length];
        workspace.Ids.AsSpan(0, workspace.Count).CopyTo(batch.Ids);
        tokenizer.Engine.Return(workspace);
    }

    private void Encode(ReadOnlySpan<byte> text, Workspace workspace, DocumentBatch batch)
    {
        batch.Hashes.Add(HeldOut.Hash(text));
        batch.TextBytes.Add((uint)text.Length);
        int start = workspace.Count;
        if (_first is int bos)
            workspace.Append(bos);
        tokenizer.Engine.Encode(Encoding.UTF8.GetString(text), workspace, addSpecial: false, parseSpecial: false);
        if (_last is int eos)
            workspace.Append(eos);
        if (options.Anchors is not { } anchors)
            return;
        int[] ids = AnchorInserter.Insert(anchors, workspace.Ids.AsSpan(start, workspace.Count - start), _last);
        workspace.Count = start;
        workspace.Append(ids);
    }
}
