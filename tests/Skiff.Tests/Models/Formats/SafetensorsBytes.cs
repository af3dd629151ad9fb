using System.Buffers.Binary;
using System.Text;

namespace Skiff.Tests.Models;

/// <summary>Hand-made safetensors files, good and bad.</summary>
internal static class SafetensorsBytes
{
    /// <summary>A header of just this JSON and so many bytes of data, counting up.</summary>
    public static byte[] Of(string json, int dataBytes)
    {
        byte[] header = Encoding.UTF8.GetBytes(json);
        byte[] file = new byte[8 + header.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(file, header.Length);
        header.CopyTo(file, 8);
        for (int i = 0; i < dataBytes; i++)
            file[8 + header.Length + i] = (byte)i;
        return file;
    }
}
