using System.Buffers.Binary;
using Skiff.Tensors;

namespace Skiff.Models;

/// <summary>Writes float32 checkpoints that karpathy/llama2.c reads.</summary>
public static class Llama2cWriter
{
    private const double RopeTheta = 10000;

    /// <summary>
    /// Writes version 0 (legacy) or 1 (<c>ak42</c>). <paramref name="tensors"/> is asked once for each name in the file's
    /// order, see <see cref="Llama2cFile.Tensors"/>, and yields any float type in that shape; the RoPE tables of version 0
    /// are computed.
    /// </summary>
    /// <exception cref="InvalidInputException">The header's sizes do not fit together, a tensor has another shape, or the file cannot be written.</exception>
    public static void Write(string path, Llama2cHeader header, int version, Func<string, Tensor> tensors)
    {
        if (version is not (0 or 1))
            throw new ArgumentOutOfRangeException(nameof(version), version, "llama2.c float32 checkpoints are of version 0 or 1");
        Llama2cLayout layout = Llama2cLayout.Of(header, version, path);
        AtomicFile.Write(path, stream =>
        {
            stream.Write(Header(header, version));
            foreach (TensorPlace place in layout.Tensors)
            {
                Tensor tensor = place.Name switch
                {
                    "freq_cis_real" => RopeTable(header, Math.Cos),
                    "freq_cis_imag" => RopeTable(header, Math.Sin),
                    _ => tensors(place.Name),
                };
                if (!tensor.Shape.SequenceEqual(place.Shape))
                    throw new InvalidInputException(path, place.Name, $"shape {TensorPlace.Text([.. tensor.Shape])} should be {TensorPlace.Text(place.Shape)}");
                TensorStream.Write(stream, tensor.Type == TensorType.F32 ? tensor : tensor.ConvertTo(TensorType.F32));
            }
        });
    }

    private static byte[] Header(Llama2cHeader header, int version)
    {
        // Version 0 says by a negative vocabulary that the output head is its own.
        int vocabulary = version == 0 && !header.SharedClassifier ? -header.VocabSize : header.VocabSize;
        int[] sizes = [header.Dim, header.HiddenDim, header.Layers, header.Heads, header.KvHeads, vocabulary, header.SequenceLength];
        byte[] bytes = new byte[version == 0 ? Llama2cLayout.LegacyHeaderBytes : Llama2cLayout.HeaderBytes];
        int at = 0;
        if (version != 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, Llama2cLayout.Magic);
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), version);
            at = 8;
        }

        foreach (int size in sizes)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), size);
            at += sizeof(int);
        }

        if (version != 0)
            bytes[at] = (byte)(header.SharedClassifier ? 1 : 0);
        return bytes;
    }

    // T positions by H / 2 pairs: the cosine or sine of position * theta^(-2i / H)
    private static Tensor RopeTable(Llama2cHeader header, Func<double, double> of)
    {
        int pairs = header.HeadDim / 2;
        Tensor table = Tensor.Allocate(TensorType.F32, header.SequenceLength, pairs);
        float[] row = new float[pairs];
        for (int position = 0; position < header.SequenceLength; position++)
        {
            for (int i = 0; i < pairs; i++)
                row[i] = (float)of(position * Math.Pow(RopeTheta, -2.0 * i / header.HeadDim));
            table.WriteRow(position, row);
        }

        return table;
    }
}
