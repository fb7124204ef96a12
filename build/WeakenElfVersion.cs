// MSBuild task, compiled at build time by Saltern.targets: marks one GNU symbol-version need of an ELF64 library as weak.
// Layout: System V gABI ("Section Header") and the Linux Standard Base ("Symbol Versioning", Elf64_Verneed / Elf64_Vernaux).
using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

public class WeakenElfVersion : Task
{
    private const uint SectionTypeVersionNeeds = 0x6ffffffe; // SHT_GNU_verneed
    private const byte WeakFlag = 2; // VER_FLG_WEAK

    [Required]
    public string File { get; set; }

    [Required]
    public string Version { get; set; }

    public override bool Execute()
    {
        byte[] bytes = System.IO.File.ReadAllBytes(File);
        DateTime stamp = System.IO.File.GetLastWriteTimeUtc(File);
        if (!Weaken(bytes))
        {
            return true;
        }

        // A new file in place of the old one, never a write through a hard link into the package cache;
        // the time stamp stays, so that up-to-date checks do not copy the original again.
        string temporary = File + ".weakened";
        System.IO.File.WriteAllBytes(temporary, bytes);
        System.IO.File.Delete(File);
        System.IO.File.Move(temporary, File);
        System.IO.File.SetLastWriteTimeUtc(File, stamp);
        Log.LogMessage(MessageImportance.Normal, "Marked the need for " + Version + " as weak in " + File);
        return true;
    }

    private bool Weaken(byte[] b)
    {
        bool changed = false;
        long sections = BitConverter.ToInt64(b, 0x28);
        int sectionSize = BitConverter.ToUInt16(b, 0x3A),
            sectionCount = BitConverter.ToUInt16(b, 0x3C);
        for (int i = 0; i < sectionCount; i++)
        {
            long section = sections + (long)i * sectionSize;
            if (U32(b, section + 4) != SectionTypeVersionNeeds)
            {
                continue;
            }

            long names = BitConverter.ToInt64(b, (int)(sections + (long)U32(b, section + 40) * sectionSize + 24));
            long need = BitConverter.ToInt64(b, (int)(section + 24));
            uint fileCount = U32(b, section + 44);
            for (uint file = 0; file < fileCount; file++)
            {
                long entry = need + U32(b, need + 8);
                int versionCount = BitConverter.ToUInt16(b, (int)need + 2);
                for (int version = 0; version < versionCount; version++)
                {
                    if (NameAt(b, names + U32(b, entry + 8)) == Version && (b[entry + 4] & WeakFlag) == 0)
                    {
                        b[entry + 4] |= WeakFlag;
                        changed = true;
                    }

                    entry += U32(b, entry + 12);
                }

                need += U32(b, need + 12);
            }
        }

        return changed;
    }

    private static uint U32(byte[] b, long at)
    {
        return BitConverter.ToUInt32(b, (int)at);
    }

    private static string NameAt(byte[] b, long at)
    {
        int end = Array.IndexOf(b, (byte)0, (int)at);
        return Encoding.ASCII.GetString(b, (int)at, end - (int)at);
    }
}
