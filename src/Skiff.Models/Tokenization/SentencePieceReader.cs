using System.Buffers.Binary;
using System.Text;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Reads a SentencePiece model (the protocol buffer of <c>sentencepiece_model.proto</c>), BPE or Unigram.</summary>
internal static class SentencePieceReader
{
    /// <summary>Reads a model; BOS is put before texts where the model has one.</summary>
    /// <exception cref="InvalidInputException">The bytes are cut short or the kind of model is not supported.</exception>
    public static TokenizerSpec Read(ReadOnlySpan<byte> bytes, string source)
    {
        List<(string Text, float Score, PieceType Type)> pieces = [];
        long modelType = 1;
        long unknown = 0, bos = 1, eos = 2, pad = -1;
        byte[] charsMap = [];
        bool prefix = true, removesExtra = true, escapes = true;
        Wire wire = new(bytes, source);
        while (wire.Next(out int field))
        {
            switch (field)
            {
                case 1:
                    pieces.Add(ReadPiece(wire.Bytes("pieces"), source, pieces.Count));
                    break;
                case 2:
                    Wire trainer = new(wire.Bytes("trainer_spec"), source);
                    while (trainer.Next(out int setting))
                    {
                        switch (setting)
                        {
                            case 3: modelType = trainer.Number("model_type"); break;
                            case 24 when trainer.Number("treat_whitespace_as_suffix") != 0:
                                throw new InvalidInputException(source, "trainer_spec.treat_whitespace_as_suffix", "is not supported");
                            case 40: unknown = trainer.Number("unk_id"); break;
                            case 41: bos = trainer.Number("bos_id"); break;
                            case 42: eos = trainer.Number("eos_id"); break;
                            case 43: pad = trainer.Number("pad_id"); break;
                        }
                    }

                    break;
                case 3:
                    Wire normalizer = new(wire.Bytes("normalizer_spec"), source);
                    while (normalizer.Next(out int setting))
                    {
                        switch (setting)
                        {
                            case 2: charsMap = normalizer.Bytes("precompiled_charsmap").ToArray(); break;
                            case 3: prefix = normalizer.Number("add_dummy_prefix") != 0; break;
                            case 4: removesExtra = normalizer.Number("remove_extra_whitespaces") != 0; break;
                            case 5: escapes = normalizer.Number("escape_whitespaces") != 0; break;
                        }
                    }

                    break;
            }
        }

        if (modelType is not (1 or 2))
            throw new InvalidInputException(source, "trainer_spec.model_type", $"{modelType} is not supported; only unigram (1) and bpe (2) are");
        if (!escapes)
            throw new InvalidInputException(source, "normalizer_spec.escape_whitespaces", "false is not supported");
        if (pieces.Count == 0)
            throw new InvalidInputException(source, "pieces", "there are none");
        int first = Id(bos);
        return new SentencePieceForm
        {
            Source = source,
            Pieces = pieces,
            IsUnigram = modelType == 1,
            AddsPrefix = prefix,
            RemovesExtraSpaces = removesExtra,
            CharsMap = charsMap,
            AddedBos = first < 0 || pieces[first].Type != PieceType.Control ? null : first,
            Roles = (first, Id(eos), Id(pad), Id(unknown)),
        }.Build();

        int Id(long id) => id >= 0 && id < pieces.Count ? (int)id : -1;
    }

    private static (string Text, float Score, PieceType Type) ReadPiece(ReadOnlySpan<byte> bytes, string source, int id)
    {
        string text = "";
        float score = 0;
        long type = 1;
        Wire wire = new(bytes, source);
        while (wire.Next(out int field))
        {
            switch (field)
            {
                case 1: text = Encoding.UTF8.GetString(wire.Bytes("piece")); break;
                case 2: score = wire.Float("score"); break;
                case 3: type = wire.Number("type"); break;
            }
        }

        if (text.Length == 0 || type is < 1 or > 6 || !float.IsFinite(score))
            throw new InvalidInputException(source, $"pieces[{id}]", "has no text, an unknown type or no finite score");
        return (text, score, (PieceType)type);
    }

    /// <summary>Walks over the fields of one message.</summary>
    private ref struct Wire(ReadOnlySpan<byte> bytes, string source)
    {
        private ReadOnlySpan<byte> _rest = bytes;
        private int _kind;
        private bool _pending;

        /// <summary>Steps to the next field, passing over the value of the last one if it was not taken.</summary>
        public bool Next(out int field)
        {
            if (_pending)
                Skip();
            field = 0;
            if (_rest.IsEmpty)
                return false;
            ulong tag = Varint("tag");
            if (tag >> 3 is 0 or > 0x1FFFFFFF)
                throw new InvalidInputException(source, "protobuf", "a field has no valid number");
            field = (int)(tag >> 3);
            _kind = (int)(tag & 7);
            return _pending = true;
        }

        public long Number(string field)
        {
            Expect(0, field);
            // A negative int32 is stored as a 64-bit number; an oversized one is cut the way protobuf cuts it.
            return (int)Varint(field);
        }

        public float Float(string field)
        {
            Expect(5, field);
            return BinaryPrimitives.ReadSingleLittleEndian(Take(4, field));
        }

        public ReadOnlySpan<byte> Bytes(string field)
        {
            Expect(2, field);
            return Take(Varint(field), field);
        }

        private void Expect(int kind, string field)
        {
            if (_kind != kind)
                throw new InvalidInputException(source, field, $"has wire type {_kind}, not {kind}");
            _pending = false;
        }

        private void Skip()
        {
            _pending = false;
            switch (_kind)
            {
                case 0: Varint("field"); break;
                case 1: Take(8, "field"); break;
                case 2: Take(Varint("field"), "field"); break;
                case 5: Take(4, "field"); break;
                default: throw new InvalidInputException(source, "protobuf", $"wire type {_kind} is not supported");
            }
        }

        private ReadOnlySpan<byte> Take(ulong count, string field)
        {
            if (count > (ulong)_rest.Length)
                throw new InvalidInputException(source, field, $"has {count} bytes, but the file ends after {_rest.Length}");
            ReadOnlySpan<byte> taken = _rest[..(int)count];
            _rest = _rest[(int)count..];
            return taken;
        }

        private ulong Varint(string field)
        {
            ulong value = 0;
            for (int i = 0; i < 10; i++)
            {
                if (i >= _rest.Length)
                    throw new InvalidInputException(source, field, "the file ends within a number");
                value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
                if (_rest[i] < 0x80)
                {
                    _rest = _rest[(i + 1)..];
                    return value;
                }
            }

            throw new InvalidInputException(source, field, "a number has over ten bytes");
        }
    }
}
