import json

import pytest

from gentra_lora.photos.caption_lines import read_lines
from gentra_lora.photos.caption_table import read_metadata

NAMES = ["img2.jpg", "img10.jpg"]
TWO_AND_TEN = {"img2.jpg": "two", "img10.jpg": "ten"}


def table(content):
    return read_lines(content.encode(), "captions.csv", NAMES)


def metadata(content):
    return read_metadata(content.encode(), "metadata.jsonl", NAMES)


@pytest.mark.parametrize(
    "content",
    [
        "file_name,text\nimg2.jpg,two\nimg10.jpg,ten\n",
        "Filename;Caption\nimg2.jpg;two\nimg10.jpg;ten\n",
        "image\tprompt\nimg10.jpg\tten\nimg2.jpg\ttwo\n",
        '"text","file_name"\n"two","images/img2.jpg"\n"ten","IMG10.JPG"\n',
        "text|path\ntwo|img2.jpg\nten|img10.jpg",
        "\nfile_name,text,\nimg2.jpg,two,\n\nimg10.jpg,ten,\n",
        "image, caption\nimg2.jpg, two\nimg10.jpg, ten\n",
    ],
)
def test_first_line_that_names_the_columns_says_where_name_and_caption_are(content):
    captions = table(content)
    assert (captions.of, captions.problems, captions.notes) == (TWO_AND_TEN, [], [])


def test_other_columns_are_not_read_and_named():
    captions = table(
        ",file_name,width,height,text,split\n0,img2.jpg,1600,1200,two,train\n1,img10.jpg,1600,1200,ten,test\n"
    )
    assert (captions.of, captions.problems) == (TWO_AND_TEN, [])
    assert captions.notes == [
        "captions.csv: not read, as prepare has no use for it: (without a name), width, height, split"
    ]


def test_form_names_the_columns():
    assert table("text,file_name\n").form == "a table with the columns text, file_name"


def test_below_a_name_and_a_caption_alone_captions_may_hold_commas_without_quotes():
    assert table("file_name,text\nimg2.jpg,a car, red\nimg10.jpg,ten\n").of["img2.jpg"] == "a car, red"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "file_name,text,caption\nimg2.jpg,a,b\n",
            "captions.csv: text and caption may each be the caption; rename",
        ),
        ("image,file_name,text\nx,img2.jpg,a\n", "captions.csv: image and file_name may each be the photo; rename"),
        (
            "text,file_name\na, b,img2.jpg\n",
            "captions.csv: line 2 has 3 columns, its first line names 2: ['a', 'b'",
        ),
        ("text,file_name\na\n", "captions.csv: line 2 has no file_name: ['a']; write it, or remove the line"),
        ("text,file_name\na,img3.jpg\n", "captions.csv: line 2: no photo is called 'img3.jpg' (did you mean"),
        ('text,file_name\n"a\nb",img2.jpg\n', "captions.csv: line 2: the caption 'a\\nb' holds the control character"),
        (
            'text,file_name\n"a"b,img2.jpg\n',
            "captions.csv: line 2 is no CSV (',' expected after '\"'); correct",
        ),
        ("text,file_name\n,img2.jpg\n", "captions.csv: line 2: the caption is empty; describe the photo"),
        ("file_name,text\nimg2.jpg\n", "captions.csv: line 2 begins with a photo's name, but no tab, comma or bar"),
    ],
)
def test_what_is_unclear_in_a_table_is_told_with_its_line_and_the_way_out(content, problem):
    assert table(content).problems[0].startswith(problem)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            '{"file_name": "img3.jpg", "text": "x"}',
            ": no photo is called 'img3.jpg' (did you mean 'img2.jpg'?); correct",
        ),
        ('{"file_name": "img2.jpg"}', " needs file_name, and either text or caption: '{"),
        ('{"text": "x"}', " needs file_name, and either text or caption: '{"),
        ('{"file_name": "img2.jpg", "text": "x", "caption": "y"}', " needs file_name, and either text or caption: '{"),
        ('{"file_name": 2, "text": "x"}', " needs file_name, and either text or caption: '{"),
        ('["img2.jpg", "x"]', " needs file_name, and either text or caption: '["),
        ('{"file_name": "img2.jpg", "text": 5}', ": the text is 5, no string; correct it"),
        ('{"file_name": "img2.jpg", "text": null}', ": the text is None, no string; correct it"),
        ('{"file_name": "img2.jpg", "text": " "}', ": the caption is empty; describe the photo"),
        ('{"file_name": "img2.jpg", "text": "a\\nb"}', ": the caption 'a\\nb' holds the control character U+000A"),
        ('{"file_name": "img10.jpg", "text": "x"}', ": a second caption for img10.jpg; keep one"),
        ("no json", " is no JSON (Expecting value: line 1 column 1 (char 0)): 'no json'; correct it"),
    ],
)
def test_bad_line_of_the_metadata_is_told_with_its_number_and_the_way_out(line, problem):
    good = json.dumps({"file_name": "img10.jpg", "text": "ten"})
    assert metadata(f"{good}\n\n{line}\n").problems[0].startswith(f"metadata.jsonl: line 3{problem}")


def test_every_bad_line_of_the_metadata_is_told():
    found = metadata('x\n{"file_name": "img2.jpg", "text": "two"}\ny\n').problems
    assert [("line 1" in found[0]), ("line 3" in found[1])] == [True, True]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([{"file_name": "img2.jpg", "text": "two"}, {"file_name": "img10.jpg", "text": "ten"}], "an array"),
        ({"img2.jpg": {"caption": "two"}, "img10.jpg": {"caption": "ten"}}, "one object"),
    ],
)
def test_json_that_is_not_one_object_a_line_is_one_error(value, kind, indent):
    (problem,) = metadata(json.dumps(value, indent=indent)).problems
    assert problem.startswith(f"metadata.jsonl: is {kind} of JSON; write an object a line, with file_name and text")


def test_other_keys_of_the_metadata_are_named():
    rows = [{"file_name": name, "text": text, "width": 1, "split": "train"} for name, text in TWO_AND_TEN.items()]
    captions = metadata("".join(json.dumps(row) + "\n" for row in rows))
    assert (captions.of, captions.problems) == (TWO_AND_TEN, [])
    assert captions.notes == ["metadata.jsonl: not read, as prepare has no use for it: width, split"]
