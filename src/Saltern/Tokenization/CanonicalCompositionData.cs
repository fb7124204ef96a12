namespace Saltern.Tokenization;

/// <summary>Canonical mappings and combining classes of Unicode 15.1.0, packed; see CanonicalCompositionData.py.</summary>
internal static class CanonicalCompositionData
{
    /// <summary>Base64 of raw deflate of numbers of seven bits a byte.</summary>
    public const string Packed =
        "vZh5VJXnncd5773c6xVTm5hojI2m0572dDrn5GTOaTunzVIbqTJJdKrSNJl/wiREjYm0RmJ0TqfsgqDigogri7IE2WVzAUEBQVTcWJQomyzu4r7P9/PCNZhomjNzZvT+Pu/3eZ7fs7zP" +
        "/rLo+4HWsQF269hAWZAsWBYuW2h3fz3FbvVUmqfSPJXmqXgvhb0U9lLYK9zuPlH+kxQ3SXGTFDeJcLjd4a04b8V5K85b+d4JtDt8FOejOB/F+cjPR/E+qud91eOrNF+l+SrNV/EzFJ6h" +
        "8AyFZ6ieWfL3U5yf4vwU50dY9fgrzl9x/orzV755gXb3ebQ/RGXLxobpKRubqqfsdfm+L3td/u/LXl+gp+z1KD1l42QfRNkdnsrrK/NUXl+Zp3x8ZZ4qw1fmKT9f2XiVMU02Xj7TZOPl" +
        "M002Xu80TTZBadOD7A4vtXeGzEtlzpB5yXeGzEtlzZB5LbA7/1W+H8neUL6ZKXb3N9XOj2VvKvyx7E3V93GU3WOi4mbJJipulmyi4mdF2Z2TVK6fbJLK9ZNNitQz0u6YLN/ZssnynS2b" +
        "LP/ZsimK+1Q2RXV+KpuitE9lU5T2qWyq9BzZVOk56hNvtd9f5q06/GXeqsNf5r1QT5m36vOXeet9/GVvq8y5sndk83hqXN5VffNl76qP5sveVdnzo+yek9aorWvsz3vr6b/G/puxiveR" +
        "eclmyCbJ/GTeMn9Zs6EG3AHNRiAqEBWFMlMDUAF29924dIBkm5ACKgl2Co7x8p0me0M2k1rUaj/Zaas8zoBCq6KXuQsfqYfHq5ZpmskTVfwsWQXVngKVoBM0ghtg7BK9g2zsUj1lntK+" +
        "Mk9pX5mX9AyZl/QM2SRpP9kkaT/ZZOnZssnSs2Xe0v4yb2l/2ZRkjZNsqmxOst0xQa2cHmUfOlb96sNcZV3J6nnfa+AouAomKd1PlkmHZIF3ZPNC7KttAXY3S6DdzbZcz3B7oP29Yne3" +
        "p3/jNjSVd1rqCLRbCg03a4yENRbECe4bwCaCaaBG+EWcQwO+CeQQlw8KQTHYi0sxqRWglLgKUC14HEIdUsI7MYPU0TGDtAcsHxRod4ZJeayWsq4iIWlQmH3EKmFskfBiPnH5OOfhXI/z" +
        "VpyLSNgll5euDFIXXhVijJUKWwuE56NR2SBaWaS0tcQQzBccjU7FNYGVpBaAWFCI36pBIZQfQovCUcJ6UEJqN9l6QAZx+0ASzrtAEsFdfXGRKCGFYBV501F7hcO2lCGHh1hThhwZYt0D" +
        "UoYcHWKtkcq3HH3iyBD3MuFHh4QMZ+pT2596Mltw5AkTYgTLShAL1oIEkAjSQZbQZFQNKxlmrRrWMOyFhGHbh1kSBVuWkGrkPr39aXuR8PuVgiUWrCUuXThqrRpeP9xRNbxkuFTD8BcS" +
        "hm8fbkkU/JaNaBjxSeWIkhHWKlCp4E2j8tn6Zy8ZpSOPjhxaKVgrR9aPdK8cWT7SWqPgfaPyuZLnrFWg8rmG59ZZmkbVjHJvGnVglLVZyto06uSoGvfy0YVjnq4VBh8E9eC48NzO0flj" +
        "nr40une07dLoK6MtuWMCxtjyhKcujQ4Y8+NlY5RtrTA4ASSDdOG56DH5Y44bm17IfKHs56G/zP+l+wIQASLBIsG5VJiyleB2wVEiWEsJlgu3B4/dpFUn+51W1X/Ifpekp+x3OXrKqlg+" +
        "XWCcUj+QjVPqB7JxSv1ANk5r9QPZuAw9ZcssmrPLwTItSCnOYcX7yjyz9ZSl2jRJ08DvVeKHnDyaVtNkE6SnyyaohumyCZpL02UTVMN0TqZMPWVeKmWG7ABNuwDekM3kqVwzZW+obTNl" +
        "b0p/LCt4mY0RvKnYj0lRiz6WvaVcn8jeUr2fyN6S9yeyidKzZBOlZxFWnlmyicozK4N9KZB9KRAVjhJqefF9oJYX3wf+TfZnnirrz7LJstk8VeZs2TEadRxMVumzZVOU+qlsilI/xcOi" +
        "wHHQAlpB28tCO5gqm8NTnnNkU1XCHNlUtXGOzHujdl6Zt/rLX+atOH9ZN43rAae1ZVrPgD/qpPxM9keV85nsbb3JXNnb8pore1s+c2Vvq765srflM1f2J+nPZX9S2ufcnKTncVLqBJ0v" +
        "e1c+82Xvql3zZdNpI2XpBJ6n29R9vZLHWDn4yMZG6Ckrp2/bQDlHYxsoNyJQZmowSoh/RTUkgCDeJhgEMQbBIMgSgYpABaPMHGHk4Iqk+nxlnkr3lXkq1VdWQ7WnQQ3VngY1VHsa1FDt" +
        "aVBEtcXAS/EzZF4qbYZsksyPp+L8ZEco7Ao4QmFXwBEKu2KYqcEooZbC9oF4q5wTQLw1ABWAikBFoIJRvI01CSV4y/x5Kt1flkXmbJBF5myQReZsq5kajApGJaGEd+QxT/aO9DzC8psn" +
        "e0de84LtQ3McyzkZV9itAa/KLRAEvBqICkSVo8o5cpcD+YXjEgHCcYkA4bhEgHz88vGLxmUpiMZlqeCIITWG1FUkxIFVpMaRWkhqIanxJCSAeFITQDzFJ4BY/GLxS8UlDaTikgZScUkD" +
        "xfgV45eNSw7IxiUHZOOSA+Lwi8OvCJdiUIRLMSgyiwKl+JXitxOXMrATlzJav4HUDaTuIaEa7CG1mtQKUitIrSPhIKgj9SCoo/iDgm4vK+zuTUoVAkE5d5HlQHlbyNYKWsjWClpwaTVf" +
        "Gr80/Lpx6QHduPSAblx6zJd2BNgtmx1uGieJDIlCRKZEMSJLohRRK1GB2CdRjdjvcHMEvFrBpBCCQDAIAaEgDCwA4SACLASRIAosAovBEhAPEkAiSAIbwSaQDFJAKkgDX4B0sBlkgEyQ" +
        "BVpAK2gD7aADnAKdoAt0gx5wGpwBZ8E5cB5cADmOMKD9/GJfkHoF9xyHOrPgtQoWRhgIAeqlMHXXUnnYitVdqYa8rpCzkJyZ5CwkZyU5Y/APl38sIsIUii59LQAEAnMmh4EQ7rRyi1ax" +
        "xRRR4zCnbxgIAUpc6HBzv0f2e2S/R/YKPCrw2ItHtmopY66UMVcqKGMv2ITbJtw24bZYbgnmKtPWZgl1uFnec3Pc4UWqaeJ+XqSafNd4kQ1kiVKWNMQSU1TYLVsMN3vQb90swb91q7Gl" +
        "OdwGveFmqTDcThrRrxfpSiH8dIXwWh3BI+CQMDN4XJHdI1xwRAovJQnum4RfbSduF6ggbo/w4isSrRIj9gnWl2WvyjoInMKzF3UZdQ11XRh6C3WbuCBPqWDBEYZaIIxPRKWCNJAuvH+H" +
        "HHfBUuKWCUNzUXlgC8gXPg9/z80S8Z5bx+gvvYvsrc/sfS/Ox30fOAAOgsPgKGgATeA4+BKcBK2CowPVCbqFoRcE64X3Vvu496J6UVdRV1E3UDdQt1G3pV6slHpmnU+cz/PpgnsGyAI5" +
        "IA/kg0JQDLaBHaAUlAmO3ahKsEcYekCwHvBRRYdQh1BHUUdRjahG1HHUcakXkynlAsGL4BLoFZx3hZB4+55VFjfLlX2Gm6VmndSeOOHglwrmrhVOpQhrSy39OJir4MEkqQXpUnsIXtsl" +
        "9JwVQu8LpVFK3bpEuLFUWJIgBB1RwppjQlOrcKJL2BGuhNOJwqU8XNYp7mqyEFKPc4eQQVHrtwt1WxU8c1LYF6lgxzKhWlPZ0hgstSFaqNmhYOx+4TQV3Tkl7KfysA1ShUnUu0nYXS0c" +
        "PipEU0fXOSEwAD9qawYX1gi5magC4dY2IeqS/O73CvG3heoFigtJFu7TvvoY4WQOrS8RWm4I9yi0jTpqyFtOx17PEBrxaysSltMvx44LS04IWbdo6R1h72b5HaK5kYG0itbXgrVXhBJa" +
        "cIkWXMUvIFY4QG+Y/XyPthQzeF36TLcs2yksoMcvnqaH6OLbNKiUfkkrFRbhXNsk3KgREmnGLgb+RDadc573ZbS+oOStDQpmb5AKJ8c96j0VqmB8FYo6MhnLnkSy0ebAg7TlpnAhhNei" +
        "lAPMoau8YHmqcJmJdJYRrNhLoYz0F3R2RjqzZIsQu0PYD9aQrZIZe52p0raeCbydAWUmBuwWVjPISfRpdZsQ0cMoXBau0HUXGJlksp2PEJLimT6MZexGslH8jjSmN5O1fKnrzatp31U6" +
        "7HYlb0lHlDDSVzuFDl76Zoar27duY7To+1z6vqebVrE+Kql8y0bhGpNhD9NsVbYQyXhk0sgtdE4Rqa1lCoZR8rEE4TwllzJz4va6hnt/O41k+d3hZe7wMotYq+H0UCYTJII3us3SuHxA" +
        "KGN9rGWJR9CqJobszEX675Y55spxjsHLpCdvUEB6PFWyBk8zWb+g6yLpiN3lTKk61wwLo81pdOISRvWUOcdraSSVpzIPTjFpwqi37Qwddk84QBe3glrevI1SSpmnW2nkOoqq4y1XMYy3" +
        "2ACScGkoYu0zI2J5rb00rZv9YO9Vluk1Jj+zbidbQRxj2bhSqTvpzoIwpjItXQCSGdrDTOV6coTSz+vppi104jbet5ZNZh+9EblcOEyOnXTTTu2E9mNaKbYrelX7Cab8F8yIGraW7czi" +
        "E+AUWML41jPmJVS0QzPCtkx7ju2GZpi9iMG7q01r0IUcxhKk5jJf2IJOsJsV8uaZTJUuZsQ+c5Uxvh3gIL22jq05bDO9AXayiFPZczoYj/NgBfOqm8FbzJrpBQdY+23Mq6W8dCijdZ0+" +
        "WN3MpsBiOs9iSmdLS2QEl7KNlPBa1WAPqAP14EuwiPddDHaycwUyMjuvuxZiBHtdGehlHoSyNM4xgjdDXGhg44lmv19JtwcygsXgMPtp+GqhgM3I7Lp2Oud+lrCNWXyV5Xc+1KmZo6Ls" +
        "yWxz+QxPN70WQCdWmIq4Kvrv1iZX/x39gkmDagOMryWPTtzNVnUEtG2hYwuEQ0yGJtDD9p/B0miki/fTxeEP+rml3NXZW1hbu9kx1+6hAFDPADCH+o6xNaAe3GSbM/ddc+keZ1Xs/dI1" +
        "KOtbXCOTcoEXZHiyTrkm4SUGKowlvg2sY6PYcNY1O4+DK6CGXX4nqGVUcx4M1G12uOO3XENW8mCgDrGELnAK3VwslDFGYctdA1XKjsmktuyNcY2beTKdi3GN4MJY1wgWscB6GcE4NoBr" +
        "7I53NrsG1Fwux7NcQxuZ7RrfZQWue0lN3SB1JzjaJaybqyEPUEOLQfVGzYC6YuHwXWFXiTIsVq5wo8lji4et16PQY3iPR5mHpcej3MNSfc1aZlK6TklCEdjuYTkIDoHD4Ag4CuoFWyOq" +
        "CRwDx0EzCSdAC8FWVDuqA9WJ6gLdoAec7iu0mNpKKaUU51KPOO+4BNvWBJv7GvMxZpP5WGDJSbSlJNqsueajeFBVsq0k2WbVoyHZdtK9OM22Nc1m1SM7zUZoR5rtprUo3ZaVrljzcfuJ" +
        "/Fxbdq6ttsW9IdFxKtFhaex7nEx0nO97XOh7XOx7XOp79CY6Mo3iJNN1a99jW5KZY3vfQ6ELfSE9AuKcO1h+RaAMJAZpoFrWG/272TYQxDlzyzxsElw73AGwfoYWQNSg/v3uCOgA18Ha" +
        "hUoolkcXoUUs5r1ExaI2mlcntvzNSa7lfzJpsDYHVDCb/0ll3YaoBL3gOoj5qH9X+Gp/NfeHUDbZsGTXZao62bXxHgOXwV1w/2FsXqE2XWSx1nC3OgnaVyruDOoSCOOoW8/Vowi1B3SD" +
        "ROKugWj2pcOgHYSku2DuVekgD5SDlZmukyAWdRB1ZbPr0DvPdrY/iziwiC0uEpWLygGbzWMjTY3sRV0HYex9q0GiuQuC1Ay5nAZn89i62BlTQCPBTtT5T7SmZeFsmCUPsCdPmXZx3jYW" +
        "uu5Ol8GqAiXcR4VxYh1mY01EBfpp3jw4yXYW03TQsY2SuKR0os6bnwzgDmjlPtYGsv6s8UGkcmfcAXpAm+KDdynnHYlsNvM8UADMj4tlVZo291A5lYP6EcgZlWi2DVT9RUN3SvHHdmmn" +
        "aSPqDGhX/GpOhX2gAdwEgRwSW2drDs/uP5SP7FPuKtQeDovactcpYqpbD46SXLARZIETD45x83MsmuNlDfgS5HCzOQLquLlG1auOHag7xHWjgjmLOsClBqUmciBVEEwDmXPUSUTdA+u4" +
        "XV9HnZ3Tf284Cxa2KGc7N4gb3CCqOcriPuu/T4RLdPirF1l3MSCAs20taRl85DQteOjkSwAnwGGwi329WmXc4q4XCg7Vua4p57qVuBi1gbgVh4y+M6AckXSYeytI5asv6Zx8j6NWfa5a" +
        "OFpTLinqCGq/onoRGxpcR+42sOiqPCK3CrdQ+xu52d2UKuU6uw90EbeS87nkmOvmZB7XPeAGCOWGuv6Wsm0hmMW96jzIm99/oFeBg3flcRPf85zvJ+7xcveFSj6LiltcZ/4asPI/NTsR" +
        "d8F1kMFVdxM7YAW3gvYQTcW13J/TF0ildrguCXUgPEpxAVwXYkD+YgVXRAu3uD1Ecqvf/FcVhyj6a59Vcado7nbdLkLNryuw5r80J7lmFKxSCSWoZXHO/i/PDaytaK4eCRsUVwR2xwt3" +
        "/qZmBLguIpcTFNUL4hKFPLCee8mGBzDvKubRHnnB/KKiHwLNTwU57+dTxvxcN28y7SQkb3b230pXZ0hVAPMqfgZkBbnupzXgALiTK5eUfBfOcx8KCqETCxWs5GZUDVKIC+BycYgLfXwo" +
        "CwrVDgK4N4WVKrUdFRjGGHONCuLSWwG2EJe6Wy5VoIlgUwUDwE2rpFIqhu/GW/ddF69j1YpLqhFaCKbupYdRJzu5ALGMcllQwUHclsIpBZWfT3MPyDkfLGdBre1y7WEhYD036TPkWMoX" +
        "fSRYB/I493JMBXaATrC93tn/+b+O62A7yOBOmITagepa4LrGHyauhmAtaAYFjSrgzDHhaJOQvpBZxYfsZbByITm6lNCB2nxC6ktcWkHOSbq9lQII1j34A04X6AFpi7hjgsVcUtsWua6r" +
        "qeAMCONvVQ2RFIoK5DvvJsEWVDvoOqs6GvhAPQHyoxgP1DZdHTIvKbGzlwm/iOEF8Q9uuuYl9yh/Y0u9yfvx1VIG1nDxvQ6y7ikhJFojsZc/PG0HF9eYlbEvrXNdkA9F6vw5B1bwJXgJ" +
        "LOUPaJmLFbcGVcTNuWETf2QCdwjeTBFiUvlDVqz8IvmLSsxy/tKUbrZAcZ0Ed3HXzuVgTOLCXZGohNUbhfMrOFZAC/fvhamKy41hzaUN7r+Om0gDBemKa+PDNW8lpwdfryn8ga8c3AP7" +
        "Y/kLUsHg/gv8Tj7j7xaTEMdeDrq2EiyTyw2CoeVSi3cLSyuEbXzz16/mEEXdA6Hc6peAlWAbCKgd7LbaEWDvNIz/za/bMJoH/BRsfDhGvxrz9+0xj/x99W9g7OOactHkN93MoOXh4Fc+" +
        "3QN0j2GcNn8DxXfriBWWh8MLLV9r6cDgice8xzd74Gt5lbHDFIMND2OI8YTxPWOo8X3jSeMpY5j+P208Ywy3jLA8a4y0mNksT3k9rsmjjTHGCy+NMn5gPN+njR8a//BQOzof8wLNxpM/" +
        "+vBRZVq/4d4XYxmQ9cc/HtP5qDcb+MYDxdeq/yY7jYRHv6CZPLjZGDkg0vL4AbQ8xuefXC17pfPRc/Dn3z6I33kpWR7ZKd8stm/IOh/Tgw+X+YrjSadtgNN0hV/qNF7Vw6/fAgzzMWiq" +
        "8e8f6jnLaTifdP7VOWuaMc1wfm+mYf7/5DPjM4XmG+b/t8yqftBMky2Nxr8EGkaQYQkx7EGIvp81yNWRzr7na83GXxwWlT6l2ahzdzUw36GYMc71htOj06jV5I5mjpstbu57THA+85gO" +
        "szYbL33nBWRp/jtd9bWYDx3fd/6087Ej+Cs1+zeOIeI4R9xXQ/j49TsgxjJwYzPcmw1Hp2EzHase2ZRHNFE7U71rI+38//11m1tQh1n7Mdeu6VqQB/sHln8DMw2IkYetP9D8IO3hDro/" +
        "wpVxseH0+T9+oXTbMfN1us3dtYXfR4OMQUfP9LX1W3L+0OQfTMZYnD9xrjKcP/gfteHXrpf/ifM9xxPOi1/tQs39W6jdtTX9wnndcOasN54Lsnd+tyPENWn2O5qNdoVWfi3L8ifM0/Fn" +
        "nX0D4e5M7iunxDbAKaSvGX9wFTm++TG7s+v3zwMiywznPzqHOn/tNBy/d+V4SUvnNcdbzsGOmYrOMxyG8w8OQxvQyEe9lu3h4H7DaXM822l8oKx3DOFvzrniHOdibTCOYHYZd8c6wznV" +
        "Ocw52ZlsdQZbzK1nsvMLqx6ZsV8tv5cfVd1Wp92wZ8QZRtXPGs0LjfnP1mbqAT/nYy4u1kcNypgBMTEP1PZR33oYffef9fHlfK0038cdmTfk+OqA8F1rt+t+1Gm0Oh71prO+WY7jvwE=";
}
