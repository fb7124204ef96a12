namespace Saltern.Tests.Tokenization;

/// <summary>Text of many kinds for the tests of this folder.</summary>
internal static class SampleTexts
{
    /// <summary>One sentence or word list a script, beginning with "all human beings are born free" where one could be had.</summary>
    public static readonly string[] Scripts =
    [
        "All human beings are born free and equal in dignity and rights; we'll see, THEY'RE sure.",
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren – größtenteils.",
        "Tất cả mọi người sinh ra đều được tự do và bình đẳng.",
        "Все люди рождаются свободными и равными в своём достоинстве и правах.",
        "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια.",
        "יולדו כל בני האדם בני חורין ושווים בערכם ובזכויותיהם.",
        "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق ١٢٣٤٥.",
        "सभी मनुष्यों को गौरव और अधिकारों में समानता प्राप्त है १२३४.",
        "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
        "மனிதப் பிறவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்.",
        "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును.",
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน ๑๒๓",
        "人人生而自由，在尊严和权利上一律平等。第一百二十三条 ㊿ ⅷ ½",
        "すべての人間は、生まれながらにして自由であり、カタカナ１２３４も。",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
        "Բոլոր մարդիկ ծնվում են ազատ ու հավասար։",
        "ყველა ადამიანი იბადება თავისუფალი და თანასწორი.",
        "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
        "မေ့ဟူသည် လူတိုင်း တူညီ လွတ်လပ်",
        "ជនទាំងអស់ កើតមកមានសេរីភាព",
        "ᏂᎦᏓ ᎠᏂᏴᏫ ᎢᎬᏂ ᏧᎾᎵ",
        "ཁྱེད་རང་བདེ་མོ ༡༢༣",
    ];

    /// <summary>What is no prose: code, blanks, digits, emoji, quotes, odd white space.</summary>
    public static readonly string[] Oddities =
    [
        "def f(x):\n    if x > 10:\n\t\treturn  x ** 2\n\n\n    return None  \n",
        "a    b\t\tc \n d\r\n\r\n  e   ",
        "   \n  \n",
        " ",
        "\n",
        "\r\n",
        "  x",
        "\t x",
        "x ",
        "x  ",
        "1 2  33   444 5555 66666 1234567",
        "it's IT'S It'S 'sword ' s 'S'T'RE'Ll'vE'x'' don't can't I'd we've '",
        "'ſ and 'ſa \u017F",
        "👩‍👩‍👧‍👦 🏳️‍🌈 😀😀 e\u0301 ❤️! ✂copy✂",
        "\u00A0nbsp\u2003em\u3000ideographic\u2028line\u2029paragraph\u0085next\u000Bvt\u000Cff\u200Bzwsp\uFEFFbom",
        "C++ == C--; x+=1;//!?…—“quoted”‘single’ #$%^&*()_+{}|:\"<>?[]\\;',./`~",
        "http://example.org/a_b?c=d&e=%20f 192.168.0.1 3.14159 1e-10 0xDEADBEEF",
        "<|endoftext|> </s> <|im_start|>",
        "\0\u0001\u001B[31mred\u001B[0m",
        "!!!abc ...def --x_y_z__w  !a !\n\n! \n!",
    ];

    /// <summary>Letters, numbers and signs beyond U+FFFF.</summary>
    public const string Astral = "𝐀𝐁𝐂 𝟏𝟐𝟑𝟒 𐍈𐌰 𠀀𠀁 x𝒙y 😀𝐀 '𝐬 𝟘a";

    /// <summary>All of it.</summary>
    public static IEnumerable<string> All => [.. Scripts, .. Oddities, Astral];

    /// <summary>All of it without code points beyond U+FFFF, which .NET's Regex reads as two.</summary>
    public static IEnumerable<string> BasicPlane =>
        All.Select(text => string.Concat(text.Where(c => !char.IsSurrogate(c))));
}
