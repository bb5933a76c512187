import cn.ucloud.common.annotation.NotEmpty;
import cn.ucloud.common.annotation.UCloudParam;
import cn.ucloud.common.client.DefaultClient;
import cn.ucloud.common.config.Config;
import cn.ucloud.common.credential.Credential;
import cn.ucloud.common.exception.RetCodeException;
import cn.ucloud.common.request.Request;
import cn.ucloud.common.response.Response;
import com.google.gson.Gson;
import com.google.gson.annotations.SerializedName;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs one call of the Java SDK, unchanged, and prints what it made of the answer as JSON. The SDK has no typed
 * requests for images: a user writes them, as below.
 */
public final class Sdk {
    public static final class Buckets extends Request {
        @UCloudParam("BucketName") public String bucketName;
        @UCloudParam("BucketType") public String bucketType;
        @UCloudParam("Limit") public Integer limit;
        @UCloudParam("Offset") public Double offset;
        @UCloudParam("Whole") public Double whole;
        @UCloudParam("Half") public Double half;
        @UCloudParam("Below") public Double below;
        @UCloudParam("Small") public Double small;
        @UCloudParam("Yes") public Boolean yes;
        @UCloudParam("No") public Boolean no;
        @UCloudParam("Nest") public List<Inner> nest;
    }

    public static final class Inner extends Request {
        @UCloudParam("Size") public Double size;
        @UCloudParam("Name") public String name;
    }

    public static final class Make extends Request {
        @NotEmpty @UCloudParam("RepoName") public String repoName;
        @UCloudParam("IsShared") public Boolean isShared;
        @UCloudParam("Description") public String description;
    }

    public static final class Delete extends Request {
        @NotEmpty @UCloudParam("BucketName") public String bucketName;
        @NotEmpty @UCloudParam("ImageName") public String imageName;
        @NotEmpty @UCloudParam("Tag") public List<String> tag;
    }

    public static final class Ratio extends Request {
        @UCloudParam("Ratio") public Double ratio;
    }

    public static final class Bucket {
        @SerializedName("BucketName") String bucketName;
        @SerializedName("BucketType") String bucketType;
        @SerializedName("ImageCount") Integer imageCount;
        @SerializedName("CreateTime") Integer createTime;
    }

    public static final class BucketsAnswer extends Response {
        @SerializedName("TotalCount") Integer totalCount;
        @SerializedName("ImageSet") List<Bucket> imageSet;
    }

    public static void main(String[] words) throws Exception {
        Config config = new Config();
        config.setBaseUrl(System.getenv("HUB_URL"));
        config.setRegion("cn-bj2");
        config.setProjectId(System.getenv("HUB_PROJECT"));
        Credential keys = new Credential(System.getenv("HUB_PUBLIC_KEY"), System.getenv("HUB_PRIVATE_KEY"));
        try (DefaultClient client = new DefaultClient(config, keys)) {
            System.out.println(new Gson().toJson(run(client, words)));
        }
    }

    private static Object run(DefaultClient client, String[] words) throws Exception {
        try {
            return switch (words[0]) {
                case "buckets" -> client.invoke(buckets(words[1]), BucketsAnswer.class);
                case "numbers" -> client.invoke(numbers(words[1]), BucketsAnswer.class);
                case "make" -> client.invoke(make(words), Response.class);
                case "sign" -> Map.of("signature", client.getCredential().verifyAc(ratio(words[1])));
                case "delete" -> client.invoke(delete(words), Response.class);
                default -> throw new IllegalArgumentException(words[0]);
            };
        } catch (RetCodeException fault) {
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("code", fault.getRetCode());
            told.put("message", fault.getMessage());
            told.put("requestId", fault.getRequestId());
            return Map.of("error", told);
        }
    }

    private static Buckets buckets(String name) {
        Buckets request = new Buckets();
        request.setAction("GetImageBucketList");
        request.bucketName = name;
        request.bucketType = "User";
        request.limit = 5;
        return request;
    }

    /** Numbers whose signed text is not the text that is sent: 42.0 is signed 42, 0.5 is signed .5. */
    private static Buckets numbers(String name) {
        Buckets request = buckets(name);
        request.offset = 0.0;
        request.whole = 42.0;
        request.half = 0.5;
        request.below = -0.25;
        request.small = 1e-7;
        request.yes = true;
        request.no = false;
        request.nest = new ArrayList<>();
        for (double size : new double[] {20.0, 0.125}) {
            Inner inner = new Inner();
            inner.size = size;
            inner.name = "测试 " + size;
            request.nest.add(inner);
        }
        return request;
    }

    private static Ratio ratio(String value) {
        Ratio request = new Ratio();
        request.setAction("X");
        request.ratio = Double.valueOf(value);
        return request;
    }

    private static Make make(String[] words) {
        Make request = new Make();
        request.setAction("CreateRepo");
        request.repoName = words[1];
        request.isShared = Boolean.valueOf(words[2]);
        request.description = words[3];
        return request;
    }

    private static Delete delete(String[] words) {
        Delete request = new Delete();
        request.setAction("DeleteImage");
        request.bucketName = words[1];
        request.imageName = words[2];
        request.tag = Arrays.asList(words).subList(3, words.length);
        return request;
    }
}
